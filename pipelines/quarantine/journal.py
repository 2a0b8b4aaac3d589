"""The record of what was done about rejected messages: `quarantine_actions`, which only grows."""

import functools
import getpass
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from clickhouse_connect.driver.client import Client

from pipelines.services.positions import Position
from pipelines.services.queries import query_text

_COLUMNS = (
    *("topic_id", "kafka_partition", "kafka_offset", "action", "attempt", "sent_partition", "sent_offset"),
    *("by", "fix", "run"),
)


class Rejected(Protocol):
    """A row of `quarantine`, and how often it was sent again before."""

    @property
    def place(self) -> tuple[str, int, int]: ...

    @property
    def attempts(self) -> int: ...


R = TypeVar("R", bound=Rejected)


@dataclass(frozen=True)
class Journal:
    """Writes for one run. `fix`: the repair it applies, masked."""

    client: Client
    fix: str = ""
    run: uuid.UUID = field(default_factory=uuid.uuid4)

    def claim(self, messages: Sequence[R]) -> list[R]:
        """Record that they are about to be sent or discarded; returns those that no other run claims or settled.

        Of two runs that meet, whoever writes later sees the other's claim and gives way; when both write before either
        reads, both do, and the message waits on. So no message is taken twice.
        """
        self._write([(*one.place, "replaying", one.attempts + 1, None, None) for one in messages])
        lost = (
            set(self.client.query(query_text("quarantine/lost_claims.sql"), {"run": self.run}).result_rows)
            if messages
            else set()
        )
        self.released([one for one in messages if one.place in lost])
        return [one for one in messages if one.place not in lost]

    def released(self, messages: Sequence[Rejected]) -> None:
        """Record that this run did nothing about them and will not: its claim ends."""
        self._write([(*one.place, "released", one.attempts + 1, None, None) for one in messages])

    def sent(self, messages: Sequence[Rejected], stands: Sequence[Position]) -> None:
        """Record where they stand now."""
        self._write(
            (*one.place, "replayed", one.attempts + 1, at.partition, at.offset)
            for one, at in zip(messages, stands, strict=True)
        )

    def discarded(self, messages: Sequence[Rejected]) -> None:
        """Record that they are given up."""
        self._write([(*one.place, "discarded", 0, None, None) for one in messages])

    def _write(self, rows: Iterable[tuple[object, ...]]) -> None:
        complete = [(*row, _who(), self.fix, self.run) for row in rows]
        if complete:
            self.client.insert("quarantine_actions", complete, column_names=_COLUMNS)


@functools.cache
def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""

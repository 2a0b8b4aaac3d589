"""The record of what was done about rejected messages: `quarantine_actions`, which only grows."""

import functools
import getpass
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client

from pipelines.quarantine import sql
from pipelines.sources.publish import Acknowledged
from pipelines.waiting import Waiting

_COLUMNS = (
    *("topic_id", "kafka_partition", "kafka_offset", "action", "attempt", "sent_partition", "sent_offset"),
    *("by", "fix", "run"),
)


@dataclass(frozen=True)
class Journal:
    """Writes for one run. `fix`: the repair it applies, masked."""

    client: Client
    fix: str = ""
    run: uuid.UUID = field(default_factory=uuid.uuid4)

    def claim(self, messages: Sequence[Waiting]) -> list[Waiting]:
        """Record that they are about to be sent; returns those that no other run claimed or settled before."""
        self._write([(*one.place, "replaying", one.attempts + 1, None, None) for one in messages])
        lost = set(self.client.query(sql("lost_claims"), {"run": self.run}).result_rows)
        return [one for one in messages if one.place not in lost] if lost else list(messages)

    def sent(self, messages: Sequence[Waiting], stands: Sequence[Acknowledged]) -> None:
        """Record where they stand now."""
        self._write(
            (*one.place, "replayed", one.attempts + 1, at.partition, at.offset)
            for one, at in zip(messages, stands, strict=True)
        )

    def discarded(self, messages: Sequence[Waiting]) -> None:
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

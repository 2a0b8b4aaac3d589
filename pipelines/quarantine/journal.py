"""The record of what was done about rejected messages: the table `quarantine_actions`, which only
grows."""

import functools
import getpass
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client

from pipelines.quarantine.message import Claim, RejectedMessage
from pipelines.services.positions import Position
from pipelines.services.queries import query_text

_COLUMNS = (
    *("topic_id", "kafka_partition", "kafka_offset", "action", "attempt", "sent_partition", "sent_offset"),
    *("by", "fix", "run"),
)


@dataclass(frozen=True)
class Journal:
    """Writes the actions of one run. `fix`: the repair that the run applies, masked."""

    client: Client
    fix: str = ""
    run: uuid.UUID = field(default_factory=uuid.uuid4)

    def claim(self, messages: Sequence[RejectedMessage]) -> list[RejectedMessage]:
        """Record that they are about to be sent or discarded; returns those that no other run
        claims or has settled.

        When two runs claim the same message, the run that writes later sees the other claim and
        gives way. When both write before either reads, both give way and the message stays waiting.
        So no message is taken twice.
        """
        if not messages:
            return []
        self._write([(*message.row_key, "replaying", message.attempts + 1, None, None) for message in messages])
        lost = set(self.client.query(query_text("quarantine/lost_claims.sql"), {"run": self.run}).result_rows)
        self.released([message for message in messages if message.row_key in lost])
        return [message for message in messages if message.row_key not in lost]

    def released(self, messages: Sequence[RejectedMessage | Claim]) -> None:
        """Record that this run did nothing about them and will not: its claim ends."""
        self._write([(*message.row_key, "released", message.attempts + 1, None, None) for message in messages])

    def sent(self, messages: Sequence[RejectedMessage | Claim], positions: Sequence[Position]) -> None:
        """Record the positions at which Kafka stored them."""
        self._write(
            (*message.row_key, "replayed", message.attempts + 1, *position)
            for message, position in zip(messages, positions, strict=True)
        )

    def discarded(self, messages: Sequence[RejectedMessage | Claim]) -> None:
        """Record that they are given up."""
        self._write([(*message.row_key, "discarded", 0, None, None) for message in messages])

    def _write(self, rows: Iterable[tuple[object, ...]]) -> None:
        complete = [(*row, _user_name(), self.fix, self.run) for row in rows]
        if complete:
            self.client.insert("quarantine_actions", complete, column_names=_COLUMNS)


@functools.cache
def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""

"""A rejected message as ClickHouse stores it, and a claim on one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from pipelines.services.positions import Position


class RowKey(NamedTuple):
    """The primary key of a row of `quarantine`: the UUID of the topic, and the message's position
    in it."""

    topic_id: str
    partition: int
    offset: int


class RejectedMessage(msgspec.Struct, frozen=True):
    """One row of `quarantine`, its state, and what was done about it.

    reasons: ids of schemas/reasons.yaml, the first one is `reason`; rules: the same with the part
    of the contract. event_id, report_id, grid_code, source: as far as they could be read. payload:
    masked; truncated when `payload_bytes` is larger than the limit of quarantine. fix: the repair
    that was sent. attempts: how often it had been sent again before this rejection.
    computed: JSON values of the SQL expressions that were asked for.
    """

    topic_id: str
    partition: int
    offset: int
    kafka_time: datetime
    stage: str
    reason: str
    reasons: list[str]
    rules: list[str]
    detail: str
    event_id: Any
    report_id: str
    grid_code: str
    source: str
    message_key: str
    payload: str
    payload_bytes: int
    sha256: str
    quarantined_at: datetime
    state: str
    fix: str
    attempts: int = 0
    computed: Sequence[str | None] = ()

    @property
    def row_key(self) -> RowKey:
        return RowKey(self.topic_id, self.partition, self.offset)

    @property
    def position(self) -> Position:
        return Position(self.partition, self.offset)

    def document(self) -> dict[str, Any] | None:
        """The payload as a JSON object; None when it is not one, or is truncated."""
        try:
            value = msgspec.json.decode(self.payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


class Claim(NamedTuple):
    """A claim on a rejected message: a run recorded `replaying` for it and nothing afterwards.

    attempt: the number of the sending, from 1. millis: time of the first claim in ms since the
    epoch; age: seconds since the last one. run, fix: the run that claimed it first, and its repair;
    runs: all runs that claim it. namesake: a message of an earlier topic of the same name has the
    same position, so both would carry the same headers.
    """

    topic_id: str
    partition: int
    offset: int
    attempt: int
    millis: int
    age: int
    run: UUID
    fix: str
    runs: Sequence[UUID]
    namesake: bool

    @property
    def row_key(self) -> RowKey:
        return RowKey(self.topic_id, self.partition, self.offset)

    @property
    def position(self) -> Position:
        return Position(self.partition, self.offset)

    @property
    def attempts(self) -> int:
        """How often the message had been sent again before this claim."""
        return self.attempt - 1

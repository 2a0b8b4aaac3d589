"""Reading the quarantine: how much was rejected and why, which messages, and one message whole.

Payloads are stored masked. All times are Asia/Shanghai.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault
from pipelines.services.positions import Position
from pipelines.services.queries import query_text


class RejectCount(NamedTuple):
    """Rejected messages that share their first reason and their source (empty when it could not be read), and, where
    grouped by rule, one rule that they broke."""

    stage: str
    reason: str
    source: str
    rule: str
    rows: int
    first_time: datetime
    last_time: datetime
    waiting: int
    replaying: int
    replayed: int
    fixed: int
    discarded: int


class RejectedMessage(msgspec.Struct, frozen=True):
    """One rejected message. `reasons` are ids of schemas/reasons.yaml; `rules` say which part of the contract as well;
    `payload` may be cut, see `payload_bytes`; `fix` is the patch it was sent again with."""

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


def stats(client: Client, topic: str, by_rule: bool = False) -> list[RejectCount]:
    """How many were rejected, by stage, first reason and source; the largest group first. `by_rule`: by rule as well,
    where a message counts under each rule that it broke."""
    scope = {"topic": topic, "by_rule": by_rule}
    return [
        RejectCount(*row)
        for row in client.query(query_text("quarantine/groups.sql"), scope, tz_mode="aware").result_rows
    ]


def listed(
    client: Client, topic: str, reason: str = "", source: str = "", rule: str = "", limit: int = 50
) -> list[RejectedMessage]:
    """The newest rejected messages; `reason` and `rule` match any of a message's, empty matches all."""
    scope = {"topic": topic, "reason": reason, "source": source, "rule": rule, "limit": limit}
    return [
        RejectedMessage(*row)
        for row in client.query(query_text("quarantine/list.sql"), scope, tz_mode="aware").result_rows
    ]


def show(client: Client, topic: str, at: Position) -> RejectedMessage:
    """The rejected message at `at`; of a topic made anew, the one rejected last.

    Raises:
        UserFault: nothing was rejected there.
    """
    rows = client.query(
        query_text("quarantine/show.sql"), {"topic": topic, **at._asdict()}, tz_mode="aware"
    ).result_rows
    if not rows:
        raise UserFault(f"nothing of topic {topic} is quarantined at {at}; see: quarantine list")
    return RejectedMessage(*rows[0])

"""Reading the quarantine: how much was rejected and why, which messages, and one message whole.

Payloads are stored masked. All times are Asia/Shanghai.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault

# `waiting` while nothing was done about a message; else the furthest action of `quarantine_actions`.
_STATE = "if(acted.furthest = '', 'waiting', acted.furthest)"
_ACTED = """LEFT JOIN (SELECT topic_id, kafka_partition, kafka_offset, toString(max(action)) AS furthest
    FROM quarantine_actions GROUP BY topic_id, kafka_partition, kafka_offset) AS acted
    USING (topic_id, kafka_partition, kafka_offset)"""

_STATS = f"""
SELECT stage, reason, source, count() AS rows, min(kafka_time) AS first_time, max(kafka_time) AS last_time,
    countIf({_STATE} = 'waiting') AS waiting, countIf({_STATE} LIKE 'replay%') AS replayed,
    countIf({_STATE} = 'discarded') AS discarded
FROM quarantine FINAL {_ACTED}
WHERE topic = {{topic:String}}
GROUP BY stage, reason, source
ORDER BY rows DESC, stage, reason, source"""  # noqa: S608  (a constant, no input)

_COLUMNS = f"""topic_id, kafka_partition AS partition, kafka_offset AS offset, kafka_time, stage, reason, reasons,
    detail, event_id, report_id, grid_code, source, message_key, payload, payload_bytes,
    toString(payload_sha256) AS sha256, quarantined_at, {_STATE} AS state"""

_LIST = f"""
SELECT {_COLUMNS} FROM quarantine FINAL {_ACTED}
WHERE topic = {{topic:String}} AND ({{reason:String}} = '' OR has(reasons, {{reason:String}}))
  AND ({{source:String}} = '' OR source = {{source:String}})
ORDER BY kafka_time DESC, partition, offset DESC
LIMIT {{limit:UInt32}}"""  # noqa: S608  (a constant, no input)

_SHOW = f"""
SELECT {_COLUMNS} FROM quarantine FINAL {_ACTED}
WHERE topic = {{topic:String}} AND kafka_partition = {{partition:UInt16}} AND kafka_offset = {{offset:UInt64}}
ORDER BY quarantined_at DESC"""  # noqa: S608  (a constant, no input)


class Group(NamedTuple):
    """Rejected messages that share their first reason and their source (empty when it could not be read)."""

    stage: str
    reason: str
    source: str
    rows: int
    first_time: datetime
    last_time: datetime
    waiting: int
    replayed: int
    discarded: int


class Position(NamedTuple):
    """Where a message stands in the topic."""

    partition: int
    offset: int


class Quarantined(msgspec.Struct, frozen=True):
    """One rejected message. `reasons` are ids of schemas/reasons.yaml; `payload` may be cut, see `payload_bytes`."""

    topic_id: str
    partition: int
    offset: int
    kafka_time: datetime
    stage: str
    reason: str
    reasons: list[str]
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


def parse_position(text: str) -> Position:
    """`3:1042` -> partition 3, offset 1042.

    Raises:
        UserFault: not two whole numbers within Kafka's limits.
    """
    partition, colon, offset = text.partition(":")
    if not (colon and partition.isascii() and partition.isdecimal() and offset.isascii() and offset.isdecimal()):
        raise UserFault(f"{text!r} is no position; give PARTITION:OFFSET, such as 3:1042")
    found = Position(int(partition), int(offset))
    if found.partition >= 2**16 or found.offset >= 2**63:
        raise UserFault(f"{text!r} is beyond the largest partition or offset")
    return found


def stats(client: Client, topic: str) -> list[Group]:
    """How many were rejected, by stage, first reason and source; the largest group first."""
    return [Group(*row) for row in client.query(_STATS, {"topic": topic}, tz_mode="aware").result_rows]


def listed(client: Client, topic: str, reason: str = "", source: str = "", limit: int = 50) -> list[Quarantined]:
    """The newest rejected messages; `reason` matches any of a message's reasons, empty matches all."""
    scope = {"topic": topic, "reason": reason, "source": source, "limit": limit}
    return [Quarantined(*row) for row in client.query(_LIST, scope, tz_mode="aware").result_rows]


def show(client: Client, topic: str, at: Position) -> Quarantined:
    """The rejected message at `at`; of a topic made anew, the one rejected last.

    Raises:
        UserFault: nothing was rejected there.
    """
    rows = client.query(_SHOW, {"topic": topic, **at._asdict()}, tz_mode="aware").result_rows
    if not rows:
        raise UserFault(f"nothing of topic {topic} is quarantined at {at.partition}:{at.offset}; see: quarantine list")
    return Quarantined(*rows[0])

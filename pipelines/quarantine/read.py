"""Read the quarantine: how much was rejected and why, a list of rejected messages, one message with
all its fields.

Payloads are stored masked. All times are Asia/Shanghai.
"""

from datetime import datetime
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault
from pipelines.quarantine.message import RejectedMessage
from pipelines.services.positions import Position
from pipelines.services.queries import query_text

# Empty texts match all; `reason` and `rule` match any of a message's.
_LIST = """
SELECT * FROM ($rejected)
WHERE ({reason:String} = '' OR has(reasons, {reason:String})) AND ({rule:String} = '' OR has(rules, {rule:String}))
    AND ({source:String} = '' OR source = {source:String})
ORDER BY kafka_time DESC, partition, offset DESC
LIMIT {limit:UInt32}"""

_SHOW = """
SELECT * FROM ($rejected)
WHERE partition = {partition:UInt16} AND offset = {offset:UInt64}
ORDER BY quarantined_at DESC"""


class RejectCount(NamedTuple):
    """Rejected messages that share their first reason and their source (empty when it could not be
    read) and, where grouped by rule, one rule that they break."""

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


def stats(client: Client, topic: str, by_rule: bool = False) -> list[RejectCount]:
    """How many were rejected, by stage, first reason and source; the largest group first.
    `by_rule`: by rule as well, where a message counts under each rule that it breaks."""
    rows = _rows(client, query_text("quarantine/groups.sql"), topic=topic, by_rule=by_rule)
    return [RejectCount(*row) for row in rows]


def listed(
    client: Client, topic: str, reason: str = "", source: str = "", rule: str = "", limit: int = 50
) -> list[RejectedMessage]:
    """The newest rejected messages; `reason` and `rule` match any of a message's, empty matches
    all."""
    query = _LIST.replace("$rejected", query_text("quarantine/rejected.sql"))
    rows = _rows(client, query, topic=topic, reason=reason, source=source, rule=rule, limit=limit)
    return [RejectedMessage(*row) for row in rows]


def show(client: Client, topic: str, position: Position) -> RejectedMessage:
    """The rejected message at `position`; if the topic was recreated, the latest rejection.

    Raises:
        UserFault: nothing was rejected there.
    """
    query = _SHOW.replace("$rejected", query_text("quarantine/rejected.sql"))
    rows = _rows(client, query, topic=topic, **position._asdict())
    if not rows:
        raise UserFault(
            f"主题 {topic} 的 {position} 没有被拒的消息 no message of topic {topic} at {position} was rejected; "
            "清单 list them with: gridstream quarantine list"
        )
    return RejectedMessage(*rows[0])


def _rows(client: Client, query: str, **parameters: Any) -> Any:
    return client.query(query, parameters, tz_mode="aware").result_rows

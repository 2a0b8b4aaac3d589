"""Select the rejected messages to work on: those that nothing was done about yet, page by page,
oldest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.clock import aware
from pipelines.errors import UserFault
from pipelines.quarantine.message import RejectedMessage
from pipelines.services.queries import query_text
from schemas.contract.v1 import FIELDS
from schemas.reasons import reasons

PAGE = 20_000  # messages in a page
_BEFORE_ALL = (-1, "", -1, -1)
# People write the expressions of repairs: ClickHouse allows what a reader may do, for a minute.
_READ_ONLY = {"readonly": 1, "max_execution_time": 60}


@dataclass(frozen=True)
class Selection:
    """Which waiting messages; empty texts match all, `since` <= arrival < `until`. `reason` and
    `rule` match any of a message's. `limit`: the most that are acted upon, oldest first."""

    topic: str
    reason: str = ""
    source: str = ""
    rule: str = ""
    since: datetime = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    until: datetime = datetime.fromisoformat("2200-01-01T00:00:00+00:00")
    limit: int = 100_000

    @classmethod
    def of(
        cls, topic: str, reason: str, source: str, rule: str, since: datetime | None, until: datetime | None, limit: int
    ) -> "Selection":
        """The selection that a person asked for. Naive times are taken as Asia/Shanghai; None means
        no bound.

        Raises:
            UserFault: there is no such reason.
        """
        require_reason(reason)
        bounds = {"since": since, "until": until}
        times = {name: aware(moment) for name, moment in bounds.items() if moment}
        return cls(topic, reason, source, rule, limit=limit, **times)


def require_reason(reason: str) -> None:
    """Raises UserFault for an unknown id, and suggests the nearest known one; '' passes."""
    if reason and reason not in reasons():
        near = "".join(get_close_matches(reason, reasons(), 1))
        hint = f"是否指 did you mean {near}?" if near else f"可用 known reasons: {', '.join(reasons())}"
        raise UserFault(f"没有原因 there is no reason {reason!r}; {hint}")


def pages(
    client: Client, selection: Selection, expressions: Sequence[str] = (), size: int = PAGE
) -> Iterator[list[RejectedMessage]]:
    """All selected messages, in pages; the caller stops reading at `selection.limit`. Messages that
    are rejected after the first page was read are not among them.

    expressions: SQL over a message's fields and the columns of its rejection, evaluated by
    ClickHouse, read-only; their values become `RejectedMessage.computed`.

    Raises:
        DatabaseError: an expression is wrong, or fails for a message.
    """
    query = _query(expressions)
    scope = {name: getattr(selection, name) for name in ("topic", "reason", "source", "rule", "since", "until")}
    begun = int(client.query("SELECT toUnixTimestamp64Milli(now64(3))").result_rows[0][0])
    scope |= {"begun": begun, "limit": size}
    after: tuple[Any, ...] = _BEFORE_ALL
    while True:
        names = ("after_millis", "after_topic_id", "after_partition", "after_offset")
        page_scope = scope | dict(zip(names, after, strict=True))
        rows = client.query(query, page_scope, settings=_READ_ONLY, tz_mode="aware").result_rows
        if rows:
            yield [RejectedMessage(*row[1:]) for row in rows]
        if len(rows) < size:
            return
        after = (rows[-1][0], *rows[-1][1:4])


def _query(expressions: Sequence[str]) -> str:
    """The query of a page with these expressions; each is on lines of its own, so that a comment in
    it ends with it."""
    computed = ", ".join(f"toJSONString((\n{expression}\n))" for expression in expressions)
    fields = ", ".join(f"field('{name}') AS {name}" for name in FIELDS)
    query = query_text("quarantine/computed.sql")
    query = query.replace("$waiting", query_text("quarantine/waiting.sql")).replace("$fields", fields)
    return query.replace("$computed", computed)

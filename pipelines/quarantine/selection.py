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
from pipelines.quarantine.compute import Evaluator, Page, page_query
from pipelines.quarantine.message import RejectedMessage
from pipelines.services.queries import query_text
from schemas.reasons import reasons

PAGE = 20_000  # messages in a page
_COMPUTED_PAGE = 5_000  # with expressions; up to 330 MB are sent to ClickHouse at once
_BEFORE_ALL = (-1, "", -1, -1)


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
    client: Client, selection: Selection, evaluator: Evaluator | None = None, size: int = 0
) -> Iterator[list[RejectedMessage]]:
    """All selected messages, in pages; the caller stops reading at `selection.limit`. Messages that
    are rejected after the first page was read are not among them.

    evaluator: computes `RejectedMessage.computed`. size: messages in a page, at most.

    Raises:
        UserFault, DatabaseError: as `Evaluator.rows`.
    """
    scope = {name: getattr(selection, name) for name in ("topic", "reason", "source", "rule", "since", "until")}
    begun = int(client.query("SELECT toUnixTimestamp64Milli(now64(3))").result_rows[0][0])
    size = size or (PAGE if evaluator is None else _COMPUTED_PAGE)
    scope |= {"begun": begun, "limit": size}
    after: tuple[Any, ...] = _BEFORE_ALL
    while True:
        names = ("after_millis", "after_topic_id", "after_partition", "after_offset")
        rows = _rows(client, scope | dict(zip(names, after, strict=True)), evaluator)
        if rows:
            yield [RejectedMessage(*row[1:]) for row in rows]
        if len(rows) < size:
            return
        after = (rows[-1][0], *rows[-1][1:4])


def _rows(client: Client, scope: dict[str, Any], evaluator: Evaluator | None) -> Sequence[Sequence[Any]]:
    waiting = query_text("quarantine/waiting.sql")
    if evaluator is None:
        return client.query(page_query(f"({waiting})"), scope, tz_mode="aware").result_rows
    columns = [(str(row[0]), str(row[1])) for row in client.query(f"DESCRIBE ({waiting})", scope).result_rows]
    return evaluator.rows(Page(client.raw_query(waiting, scope, fmt="Native"), columns))

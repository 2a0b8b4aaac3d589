"""Which rejected messages are worked on: those that nothing was done about yet, chosen, page by page, oldest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.clock import aware
from pipelines.errors import UserFault
from pipelines.services.positions import Position
from pipelines.services.queries import query_text
from schemas.contract.v1 import FIELDS
from schemas.reasons import reasons

PAGE = 20_000  # messages read at once
_FIRST = (-1, "", -1, -1)
# Fixes may compute: what a reader may do, for a minute.
_READ_ONLY = {"readonly": 1, "max_execution_time": 60}


@dataclass(frozen=True)
class Selection:
    """Which waiting messages; empty texts match all, `since` <= arrival < `until`. `reason` and `rule` match any of a
    message's. `limit`: the most that are acted upon, oldest first."""

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
        """What a person asked for; times without an offset are of Shanghai, None is no bound.

        Raises:
            UserFault: there is no such reason.
        """
        require_reason(reason)
        given = {"since": since, "until": until}
        times = {name: aware(moment) for name, moment in given.items() if moment}
        return cls(topic, reason, source, rule, limit=limit, **times)


def require_reason(reason: str) -> None:
    """Raises UserFault for an id that is no reason's, with the one probably meant; '' is fine."""
    if reason and reason not in reasons():
        near = "".join(get_close_matches(reason, reasons(), 1))
        hint = f"did you mean {near}?" if near else f"known are {', '.join(reasons())}"
        raise UserFault(f"there is no reason {reason!r}; {hint}")


class Waiting(NamedTuple):
    """A rejected message that nothing was done about. `code`: its grid, as far as it could be read. `attempts`: how
    often it was sent again before. `computed`: the JSON values of the expressions asked for."""

    topic_id: str
    partition: int
    offset: int
    code: str
    payload: str
    payload_bytes: int
    reason: str
    attempts: int
    computed: Sequence[str | None] = ()

    @property
    def position(self) -> Position:
        return Position(self.partition, self.offset)

    @property
    def place(self) -> tuple[str, int, int]:
        """Which row of `quarantine` this is."""
        return self.topic_id, self.partition, self.offset

    def document(self) -> dict[str, Any] | None:
        """The payload as it was stored; None when it is no JSON object, or was cut."""
        try:
            read = msgspec.json.decode(self.payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return read if isinstance(read, dict) else None


def pages(
    client: Client, chosen: Selection, expressions: Sequence[str] = (), size: int = PAGE
) -> Iterator[list[Waiting]]:
    """The chosen messages, all of them: who acts upon `chosen.limit` stops reading. What is rejected after the first
    page was asked for is not among them.

    expressions: SQL over a message's fields and the columns of its rejection, evaluated by ClickHouse, read-only.

    Raises:
        DatabaseError: an expression is wrong, or fails for a message.
    """
    query = _computing(expressions)
    scope = {name: getattr(chosen, name) for name in ("topic", "reason", "source", "rule", "since", "until")}
    scope |= {"begun": _now(client), "limit": size}
    after: tuple[Any, ...] = _FIRST
    while True:
        names = ("after_millis", "after_topic_id", "after_partition", "after_offset")
        rows = client.query(query, scope | dict(zip(names, after, strict=True)), settings=_READ_ONLY).result_rows
        if rows:
            yield [Waiting(*row[1:]) for row in rows]
        if len(rows) < size:
            return
        after = (rows[-1][0], *rows[-1][1:4])


def _now(client: Client) -> int:
    return int(client.query("SELECT toUnixTimestamp64Milli(now64(3))").result_rows[0][0])


def _computing(expressions: Sequence[str]) -> str:
    """The query of a page that computes these; each in lines of its own, so that a comment ends with it."""
    computed = ", ".join(f"toJSONString((\n{expression}\n))" for expression in expressions)
    fields = ", ".join(f"field('{name}') AS {name}" for name in FIELDS)
    query = (
        query_text("quarantine/computed.sql")
        .replace("$waiting", query_text("quarantine/waiting.sql"))
        .replace("$fields", fields)
    )
    return query.replace("$computed", computed)

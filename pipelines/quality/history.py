"""What was found, kept in ClickHouse: every finding in `quality_results`, the newest document of a day beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.quality.checkpoint import Checked
from pipelines.quality.outcome import CheckOutcome
from pipelines.services.queries import query_text
from schemas.expectations import Expectation, suites

_RESULT = (
    "run_id", "checked_at", "table_name", "day", "rule", "level", "severity", "outcome", "unexpected", "checked",
    "percent", "seconds", "sample_query", "detail",
)  # fmt: skip
_DOCUMENT = ("table_name", "day", "run_id", "checked_at", "document")
_DOCUMENTS = """
SELECT table_name, day, run_id, checked_at, document FROM quality_documents FINAL
WHERE day > (SELECT max(day) FROM quality_documents) - {days:UInt16} ORDER BY day, table_name"""


@dataclass(frozen=True)
class Kept:
    """A finding as it was kept. Names of rules that have left the suites are their ids."""

    checked_at: datetime
    table: str
    day: date
    rule: str
    level: str
    severity: str
    outcome: CheckOutcome
    unexpected: int | None
    checked: int | None
    percent: float | None
    sample_query: str
    detail: str

    @property
    def zh(self) -> str:
        named = _expectation(self.table, self.rule)
        return named.zh if named else self.rule

    @property
    def en(self) -> str:
        named = _expectation(self.table, self.rule)
        return named.en if named else self.rule


@dataclass(frozen=True)
class Document:
    """A validation result of Great Expectations as JSON, without values."""

    table: str
    day: date
    run_id: str
    checked_at: datetime
    text: str


def keep(client: Client, checked: Checked, run_id: str) -> None:
    """Write down all that was found. Needs INSERT."""
    rows = [_row(checked, one, run_id) for one in checked.findings]
    client.insert("quality_results", rows, column_names=list(_RESULT))
    document = [checked.table, checked.day, run_id, checked.checked_at, checked.document]
    client.insert("quality_documents", [document], column_names=list(_DOCUMENT))


def _row(checked: Checked, one: Any, run_id: str) -> list[Any]:
    row = {"run_id": run_id, "checked_at": checked.checked_at, "table_name": checked.table, "seconds": checked.seconds}
    return [row[name] if name in row else getattr(one, name) for name in _RESULT]


def latest(
    client: Client, first: date, last: date, table: str = "", only_broken: bool = False, limit: int = 1000
) -> list[Kept]:
    """The newest finding of each rule on each day from `first` to `last`; analysts may read them."""
    scope = {"table": table, "first": first, "last": last, "all": int(not only_broken), "limit": limit}
    rows = client.query(query_text("quality/quality_results.sql"), scope, query_tz="Asia/Shanghai").result_rows
    return [Kept(*row) for row in rows]


def documents(client: Client, days: int) -> Iterable[Document]:
    """The newest documents of the last `days` days that were checked, oldest day first."""
    rows = client.query(_DOCUMENTS, {"days": days}, query_tz="Asia/Shanghai").result_rows
    return [Document(*row) for row in rows]


def rebuilt_days(client: Client, since: datetime, limit: int) -> list[date]:
    """Days rebuilt since then and not checked since, newest first, at most `limit`."""
    rows = client.query(query_text("quality/quality_days.sql"), {"since": since, "limit": limit}).result_rows
    return [day for (day,) in rows]


def _expectation(table: str, rule: str) -> Expectation | None:
    suite = suites().get(table)
    return next((one for one in suite.expectations if one.rule == rule), None) if suite else None

"""Check results in ClickHouse: every result in `quality_results`, and the newest document of each day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.quality.checkpoint import Checked
from pipelines.quality.outcome import CheckOutcome, RuleResult
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
class StoredResult:
    """A stored result of a rule. The name of a rule that is no longer in a suite is its id."""

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
        expectation = _expectation(self.table, self.rule)
        return expectation.zh if expectation else self.rule

    @property
    def en(self) -> str:
        expectation = _expectation(self.table, self.rule)
        return expectation.en if expectation else self.rule


@dataclass(frozen=True)
class Document:
    """A validation result of Great Expectations as JSON, without values."""

    table: str
    day: date
    run_id: str
    checked_at: datetime
    text: str


def store(client: Client, checked: Checked, run_id: str) -> None:
    """Stores all results and the document. Needs INSERT."""
    rows = [_row(checked, result, run_id) for result in checked.results]
    client.insert("quality_results", rows, column_names=list(_RESULT))
    document = [checked.table, checked.day, run_id, checked.checked_at, checked.document]
    client.insert("quality_documents", [document], column_names=list(_DOCUMENT))


def _row(checked: Checked, result: RuleResult, run_id: str) -> list[Any]:
    row = {"run_id": run_id, "checked_at": checked.checked_at, "table_name": checked.table, "seconds": checked.seconds}
    return [row[name] if name in row else getattr(result, name) for name in _RESULT]


def latest(
    client: Client, first: date, last: date, table: str = "", only_broken: bool = False, limit: int = 1000
) -> list[StoredResult]:
    """The newest result of each rule on each day from `first` to `last`; analysts may read them."""
    scope = {"table": table, "first": first, "last": last, "all": int(not only_broken), "limit": limit}
    rows = client.query(query_text("quality/latest_results.sql"), scope, query_tz="Asia/Shanghai").result_rows
    return [StoredResult(*row) for row in rows]


def documents(client: Client, days: int) -> Iterable[Document]:
    """The newest document of each table and day, of the last `days` days that were checked, oldest first."""
    rows = client.query(_DOCUMENTS, {"days": days}, query_tz="Asia/Shanghai").result_rows
    return [Document(*row) for row in rows]


def rebuilt_days(client: Client, since: datetime, limit: int) -> list[date]:
    """Days that were rebuilt after `since` and not checked after that, newest first, at most `limit`."""
    rows = client.query(query_text("quality/rebuilt_days.sql"), {"since": since, "limit": limit}).result_rows
    return [day for (day,) in rows]


def _expectation(table: str, rule: str) -> Expectation | None:
    suite = suites().get(table)
    return next((listed for listed in suite.expectations if listed.rule == rule), None) if suite else None

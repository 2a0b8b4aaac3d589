"""Checks one day of a table against its suite, on ClickHouse, and says what was found."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.clock import SHANGHAI
from pipelines.errors import UserFault
from pipelines.quality.outcome import RuleResult, finding, without_values
from pipelines.services.clickhouse import ClickHouse
from schemas.expectations import Expectation, Suite, suites

_SQL = "unexpected_rows_query"
SAMPLED = 100  # rows a sample query gives

# Where an analyst finds what a suite reads, without texts, payloads and hashes.
SAMPLES = {"quality_events": "quality_samples", "events": "quality_samples"}


@dataclass(frozen=True)
class Checked:
    """A suite on one day: a finding a rule, in the suite's order. `document` is what Data Docs are made of."""

    table: str
    day: date
    checked_at: datetime
    rows: int
    seconds: float
    findings: tuple[RuleResult, ...]
    document: str


def chosen(tables: Iterable[str] = ()) -> tuple[Suite, ...]:
    """The suites of `tables`, or all. Raises UserFault for a table without one."""
    known, wanted = suites(), tuple(tables)
    for table in wanted:
        if table not in known:
            raise UserFault(f"there are no expectations of {table!r}; choose from {', '.join(known)}")
    return tuple(known[table] for table in wanted or known)


def check(
    target: ClickHouse,
    client: Client,
    wanted: Iterable[tuple[Suite, date]],
    done: Callable[[Checked], None] = lambda checked: None,
) -> tuple[Checked, ...]:
    """Check each suite on its day; `done` is called after each.

    target: a user who may read everything the suites read; used for reading only.

    The first call in a process takes seconds more, for importing Great Expectations. A rule that cannot be computed
    is a finding `error`, whatever the cause: also when ClickHouse goes away in the middle.
    """
    from pipelines.quality import gx

    made, found = gx.context(target), []
    for suite, day in wanted:
        found.append(_check(gx, made, client, suite, day))
        done(found[-1])
    return tuple(found)


def _check(gx: Any, made: Any, client: Client, suite: Suite, day: date) -> Checked:
    at, started = datetime.now(SHANGHAI), monotonic()
    count = f"SELECT count() FROM {suite.reads} WHERE day = {{day:Date}}"  # noqa: S608  (ours)
    rows = int(client.query(count, {"day": day}).result_rows[0][0])
    document = gx.run(made, suite, day)
    results = _by_rule(document)
    queries = _queries(gx, made, suite, day, results)
    samples = {one.rule: sample_query(suite, one, day, queries.get(one.rule)) for one in suite.expectations}
    findings = tuple(
        finding(one, suite.table, day, results[one.rule], rows, samples[one.rule]) for one in suite.expectations
    )
    document["results"] = [without_values(results[one.rule], samples[one.rule]) for one in suite.expectations]
    text = json.dumps(document, ensure_ascii=False)
    return Checked(suite.table, day, at, rows, monotonic() - started, findings, text)


def _by_rule(document: Mapping[str, Any]) -> dict[str, Any]:
    return {one["expectation_config"]["meta"]["rule"]: one for one in document["results"]}


def _queries(gx: Any, made: Any, suite: Suite, day: date, results: Mapping[str, Any]) -> dict[str, str]:
    """The queries that find the rows which break rules on values, for the rules that are broken."""
    broken = tuple(
        one
        for one in suite.expectations
        if results[one.rule]["result"].get("unexpected_count") and _SQL not in one.kwargs
    )
    if not broken:
        return {}
    again = _by_rule(gx.run(made, Suite(suite.table, suite.reads, broken), day, with_queries=True))
    found = {rule: result["result"].get("unexpected_index_query") for rule, result in again.items()}
    return {rule: query for rule, query in found.items() if query}


def sample_query(suite: Suite, expectation: Expectation, day: date, found_by: str | None) -> str:
    """A query that shows rows which break the rule, to be pasted; reads what analysts may read where it can.

    found_by: the query by which Great Expectations finds them, if it is known.
    """
    batch = f"SELECT * FROM {suite.reads} WHERE day = '{day}'"  # noqa: S608  (ours)
    if _SQL in expectation.kwargs:
        text = expectation.kwargs[_SQL].replace("$day", day.isoformat()).format(batch=f"({batch})")
    else:
        text = (found_by or batch).replace(f"FROM {batch}", f"FROM ({batch})")
    for private, public in SAMPLES.items():
        text = re.sub(rf"\b{private}\b", public, text)
    return f"{text.strip().rstrip(';').rstrip()}\nLIMIT {SAMPLED}"

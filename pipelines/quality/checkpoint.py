"""Checks a day of a table against its suite, on ClickHouse."""

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
from pipelines.quality.outcome import RuleResult, rule_result, without_values
from pipelines.services.clickhouse import ClickHouse
from schemas.expectations import Expectation, Suite, suites

_SQL = "unexpected_rows_query"
SAMPLED = 100  # rows of a sample query

# The view in which an analyst sees what a suite reads, without texts, payloads and hashes.
SAMPLES = {"quality_events": "quality_samples", "events": "quality_samples"}


@dataclass(frozen=True)
class Checked:
    """A suite on a day: a result for each rule, in the order of the suite. Data Docs are made from `document`."""

    table: str
    day: date
    checked_at: datetime
    rows: int
    seconds: float
    results: tuple[RuleResult, ...]
    document: str


def suites_of(tables: Iterable[str] = ()) -> tuple[Suite, ...]:
    """The suites of `tables`, or all. Raises UserFault for a table without a suite."""
    by_table, wanted = suites(), tuple(tables)
    for table in wanted:
        if table not in by_table:
            raise UserFault(f"表 {table!r} 没有期望 has no expectations; choose from 可选: {', '.join(by_table)}")
    return tuple(by_table[table] for table in wanted or by_table)


def check(
    target: ClickHouse,
    client: Client,
    wanted: Iterable[tuple[Suite, date]],
    done: Callable[[Checked], None] = lambda checked: None,
) -> tuple[Checked, ...]:
    """Checks each suite on its day; `done` is called after each.

    target: a user who may read everything that the suites read; used for reading only.

    The first call in a process takes seconds longer, because it imports Great Expectations. A rule that cannot be
    computed has the outcome `error`, whatever the cause, even if ClickHouse stops in the middle.
    """
    from pipelines.quality import gx

    context = gx.context(target)
    checked = []
    for suite, day in wanted:
        checked.append(_check(gx, context, client, suite, day))
        done(checked[-1])
    return tuple(checked)


def _check(gx: Any, context: Any, client: Client, suite: Suite, day: date) -> Checked:
    at, started = datetime.now(SHANGHAI), monotonic()
    count = f"SELECT count() FROM {suite.reads} WHERE day = {{day:Date}}"  # noqa: S608  (not from outside)
    rows = int(client.query(count, {"day": day}).result_rows[0][0])
    document = gx.run(context, suite, day)
    validated = _by_rule(document)
    queries = _queries(gx, context, suite, day, validated)
    rules = suite.expectations
    samples = {rule.rule: sample_query(suite, rule, day, queries.get(rule.rule)) for rule in rules}
    results = tuple(
        rule_result(rule, suite.table, day, validated[rule.rule], rows, samples[rule.rule]) for rule in rules
    )
    document["results"] = [without_values(validated[rule.rule], samples[rule.rule]) for rule in rules]
    text = json.dumps(document, ensure_ascii=False)
    return Checked(suite.table, day, at, rows, monotonic() - started, results, text)


def _by_rule(document: Mapping[str, Any]) -> dict[str, Any]:
    return {result["expectation_config"]["meta"]["rule"]: result for result in document["results"]}


def _queries(gx: Any, context: Any, suite: Suite, day: date, validated: Mapping[str, Any]) -> dict[str, str]:
    """The queries that find the offending rows, by rule, of the rules on values that are broken."""
    broken = tuple(
        rule
        for rule in suite.expectations
        if validated[rule.rule]["result"].get("unexpected_count") and _SQL not in rule.kwargs
    )
    if not broken:
        return {}
    document = gx.run(context, Suite(suite.table, suite.reads, broken), day, with_queries=True)
    queries = {rule: result["result"].get("unexpected_index_query") for rule, result in _by_rule(document).items()}
    return {rule: query for rule, query in queries.items() if query}


def sample_query(suite: Suite, expectation: Expectation, day: date, found_by: str | None) -> str:
    """A query to paste that shows rows which break the rule. It reads what analysts may read, if possible.

    found_by: the query by which Great Expectations finds the rows, if it is known.
    """
    batch = f"SELECT * FROM {suite.reads} WHERE day = '{day}'"  # noqa: S608  (not from outside)
    if _SQL in expectation.kwargs:
        text = expectation.kwargs[_SQL].replace("$day", day.isoformat()).format(batch=f"({batch})")
    else:
        text = (found_by or batch).replace(f"FROM {batch}", f"FROM ({batch})")
    for private, public in SAMPLES.items():
        text = re.sub(rf"\b{private}\b", public, text)
    return f"{text.strip().rstrip(';').rstrip()}\nLIMIT {SAMPLED}"

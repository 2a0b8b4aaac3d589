"""The result of a rule on a day of a table, read from a validation result of Great Expectations.

A metric that could not be computed has `success: false`, as a broken rule has; only `exception_info` distinguishes
them. Nothing here contains values of the data, because they may be texts that people wrote.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from schemas.expectations import Expectation, Level, Severity

CheckOutcome = Literal["passed", "failed", "error"]
Result = Mapping[str, Any]  # an ExpectationValidationResult as JSON

GRAVE: frozenset[Severity] = frozenset({"reject", "critical"})
_CLICKHOUSE = re.compile(r"\bCode: (\d+)\..*\(([A-Z_]{3,})\)", re.DOTALL)
_LONGEST = 300


@dataclass(frozen=True)
class RuleResult:
    """A rule on a day: `unexpected` rows of `checked` break it. None if that could not be computed."""

    table: str
    day: date
    rule: str
    level: Level
    severity: Severity
    owner: str
    zh: str
    en: str
    outcome: CheckOutcome
    unexpected: int | None
    checked: int | None
    percent: float | None
    sample_query: str
    detail: str

    @property
    def grave(self) -> bool:
        """Whether the rule is broken and must not be."""
        return self.outcome == "failed" and self.severity in GRAVE


def rule_result(
    expectation: Expectation, table: str, day: date, result: Result, rows: int, sample_query: str
) -> RuleResult:
    """What `result` says about the rule `expectation`; the day has `rows` rows."""
    faults, outcome = list(errors(result)), outcome_of(result)
    unexpected, checked = (None, None) if faults else _counts(expectation, result["result"], rows)
    # The rows that a query returns need not be rows of the table, so they have no percentage.
    of_rows = checked and "unexpected_count" in result["result"]
    return RuleResult(
        table,
        day,
        expectation.rule,
        expectation.level,
        expectation.severity,
        expectation.owner,
        expectation.zh,
        expectation.en,
        outcome,
        unexpected,
        checked,
        round(100 * (unexpected or 0) / checked, 4) if of_rows and checked else None,
        sample_query,
        faults[0] if faults else "",
    )


def outcome_of(result: Result) -> CheckOutcome:
    """The outcome of a validation result."""
    if any(errors(result)):
        return "error"
    return "passed" if result["success"] else "failed"


def _counts(expectation: Expectation, result: Mapping[str, Any], rows: int) -> tuple[int | None, int | None]:
    """Rows that break the rule, and rows that were checked (for a rule on values, those with a value)."""
    if "unexpected_count" in result:
        missing = 0 if expectation.type.endswith("_null") else result.get("missing_count") or 0
        return int(result["unexpected_count"]), int(result["element_count"]) - int(missing)
    observed = result.get("observed_value")
    return (int(observed) if isinstance(observed, int) else None), rows


def errors(result: Result) -> Iterator[str]:
    """The reasons for which metrics of `result` could not be computed, a line each."""
    info = result.get("exception_info") or {}
    parts = [info] if "raised_exception" in info else info.values()
    for part in parts:
        if part.get("raised_exception"):
            yield _line(str(part.get("exception_message") or "unknown"))


def _line(message: str) -> str:
    """A line without values. An error of ClickHouse is reduced to number and name, since its text may quote data."""
    error = _CLICKHOUSE.search(message)
    if error:
        return f"ClickHouse {error[1]} {error[2]}"
    return " ".join(message.partition("\n")[0].split())[:_LONGEST]


def without_values(result: Mapping[str, Any], sample_query: str) -> dict[str, Any]:
    """`result` as it is stored: with counts, without values, tracebacks and internal names of the batch."""
    faults = list(errors(result))
    counted = ((name, value) for name, value in result["result"].items() if name in _COUNTS)
    counts = {name: value for name, value in counted if value is None or isinstance(value, int | float)}
    exception = {
        "raised_exception": bool(faults),
        "exception_traceback": "-",  # GX renders it and fails if it is missing
        "exception_message": "; ".join(faults),
    }
    configuration = dict(result["expectation_config"])
    meta = dict(configuration.get("meta") or {})
    if not result["success"]:
        meta["sample_query"] = sample_query
    configuration["meta"] = meta
    return {**result, "expectation_config": configuration, "result": counts, "exception_info": exception}


_COUNTS = frozenset(
    {
        "element_count",
        "unexpected_count",
        "unexpected_percent",
        "missing_count",
        "missing_percent",
        "unexpected_percent_total",
        "unexpected_percent_nonmissing",
        "observed_value",
    }
)

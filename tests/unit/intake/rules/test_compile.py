"""What the compiler refuses, and that all rules are evaluated."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.intake.decode import DECODED
from pipelines.intake.judge import WARNED_ON
from pipelines.intake.rules.columns import DERIVED, Columns, available
from pipelines.intake.rules.compile import Checks, compiled, row_checks
from schemas.expectations import Expectation, Suite, suites
from tests.support.random_events import CONTEXT

BETWEEN = "expect_column_values_to_be_between"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"


def suite(*rules: tuple[str, dict[str, Any]]) -> Suite:
    made = (
        Expectation(kind, kwargs, f"rule_{i}", "row", "warn", "o", "甲", "a") for i, (kind, kwargs) in enumerate(rules)
    )
    return Suite("events", "events", tuple(made))


def checks(*rules: tuple[str, dict[str, Any]], columns: tuple[str, ...] = ("a", "b")) -> Checks:
    return compiled(suite(*rules), "warn", columns)


def broken(kind: str, kwargs: dict[str, Any], **columns: Any) -> list[bool]:
    found: list[bool] = checks((kind, kwargs)).broken(Columns(pa.table(columns), CONTEXT))[0].tolist()
    return found


def condition(**changes: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": "a"}, "operator": "==", "parameter": 1, **changes}


@pytest.mark.parametrize(
    ("kind", "kwargs", "said"),
    [
        ("expect_column_mean_to_be_between", {"column": "a"}, "the stream cannot check expect_column_mean"),
        (BETWEEN, {"column": "a", "max_value": 1, "mostly": 0.9}, "mostly"),
        (BETWEEN, {"column": "a", "max_value": 1, "allow_cross_type_comparisons": True}, "unknown field"),
        (BETWEEN, {"column": "a"}, "both missing"),
        (BETWEEN, {"column": "a", "min_value": 2, "max_value": 1}, "greater than max_value"),
        (BETWEEN, {"column": "a", "max_value": "2020-01-01"}, "max_value"),
        (BETWEEN, {"column": "c", "max_value": 1}, "the stream has no column c"),
        (BETWEEN, {"column": "a", "max_value": 1, "row_condition": 'col("a") == 1'}, "row_condition"),
        (BETWEEN, {"column": "a", "max_value": 1, "condition_parser": "pandas"}, "unknown field"),
        (BETWEEN, {"column": "a", "max_value": 1, "row_condition": condition(type="or")}, "row_condition"),
        (BETWEEN, {"column": "a", "max_value": 1, "row_condition": condition(operator="~")}, "row_condition"),
        (BETWEEN, {"column": "a", "max_value": 1, "row_condition": condition(operator="IN")}, "operator IN"),
        (BETWEEN, {"column": "a", "max_value": 1, "row_condition": condition(column={"name": "d"})}, "no column d"),
        (GREATER, {"column_A": "a", "column_B": "b"}, "ignore_row_if"),
        (GREATER, {"column_A": "a", "column_B": "b", "ignore_row_if": "never"}, "ignore_row_if"),
    ],
)
def test_what_the_stream_cannot_check_is_refused(kind: str, kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="rule_0: ") as refused:
        checks((kind, kwargs))
    assert said in str(refused.value)


def test_a_row_rule_of_another_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"reports": suite((BETWEEN, {"column": "a", "max_value": 1}))}
    monkeypatch.setattr("pipelines.intake.rules.compile.suites", lambda: suites() | other)
    with pytest.raises(ValueError, match="reports: only events pass through the stream"):
        row_checks.__wrapped__("warn", WARNED_ON)


def test_all_rules_of_both_severities_are_compiled() -> None:
    rules = {one.rule for one in suites()["events"].of_level("row")}
    refusals, warnings = row_checks("reject", tuple(DECODED.names)), row_checks("warn", WARNED_ON)
    assert set(refusals.rules) | set(warnings.rules) == rules
    assert len(refusals.rules) + len(warnings.rules) == len(rules)


def test_derived_columns_need_their_sources() -> None:
    assert available(["text"]) == {"text", "text_characters", "has_letter"}
    assert available(DECODED.names) >= DERIVED.keys() - {"days_on_the_way"}
    assert available(WARNED_ON) >= DERIVED.keys()


def test_nulls_break_only_rules_about_nulls() -> None:
    a = [1, 2, 3, None]
    assert broken(BETWEEN, {"column": "a", "min_value": 2}, a=a) == [True, False, False, False]
    strict = {"column": "a", "min_value": 1, "max_value": 3, "strict_min": True, "strict_max": True}
    assert broken(BETWEEN, strict, a=a) == [True, False, True, False]
    assert broken("expect_column_values_to_be_in_set", {"column": "a", "value_set": [1]}, a=a) == [
        False,
        True,
        True,
        False,
    ]
    assert broken("expect_column_values_to_be_null", {"column": "a"}, a=a) == [True, True, True, False]
    assert broken("expect_column_values_to_not_be_null", {"column": "a"}, a=a) == [False, False, False, True]


def test_a_row_condition_that_is_null_leaves_the_row_out() -> None:
    rule = {
        "column": "a",
        "max_value": 0,
        "row_condition": condition(column={"name": "b"}, operator="!=", parameter="x"),
    }
    assert broken(BETWEEN, rule, a=[1, 1, 1], b=["x", "y", None]) == [False, True, False]


def test_every_broken_rule_of_a_row_is_named_in_order() -> None:
    two = checks((BETWEEN, {"column": "a", "max_value": 0}), (BETWEEN, {"column": "b", "max_value": 0}))
    found = two.broken(Columns(pa.table({"a": [0, 1, 1, 0], "b": [0, 0, 1, 1]}), CONTEXT))
    assert two.named(found).to_pylist() == [[], ["rule_0"], ["rule_0", "rule_1"], ["rule_1"]]
    assert two.named(np.zeros((2, 0), np.bool_)).to_pylist() == []

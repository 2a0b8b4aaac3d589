"""The stream and Great Expectations say the same of every row, for every rule (here on pandas; on ClickHouse, with its
own derived columns, in tests/integration/test_row_rules.py). Importing Great Expectations takes 7.5 s: only here.
"""

import functools
from typing import Any

import pytest

from pipelines.intake.rules.columns import Columns
from pipelines.intake.rules.compile import Checks, compiled
from schemas.expectations import Expectation, Suite, suites
from tests.support.random_events import CONTEXT, drawn, stored, table

BETWEEN = "expect_column_values_to_be_between"


def _more(number: int, kind: str, kwargs: dict[str, Any]) -> Expectation:
    return Expectation(kind, kwargs, f"more_{number}", "row", "warn", "test", "甲", "a")


def _where(operator: str, parameter: Any, column: str = "status") -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


# Arguments and conditions that no shipped rule uses.
MORE = [
    (BETWEEN, {"column": "severity", "min_value": 1, "max_value": 4, "strict_min": True, "strict_max": True}),
    (BETWEEN, {"column": "satisfaction", "min_value": 1, "max_value": 5, "strict_max": True, "mostly": 1}),
    (BETWEEN, {"column": "outside_m", "max_value": 0.0, "row_condition": _where("NOT_IN", ["closed", "reopened"])}),
    ("expect_column_values_to_not_be_null", {"column": "due_at"}),
    (BETWEEN, {"column": "severity", "min_value": 3}),  # the second of its kind on this column
    ("expect_column_values_to_be_in_set", {"column": "status", "value_set": ["closed", "reported"]}),
    ("expect_column_values_to_not_be_in_set", {"column": "satisfaction", "value_set": [5, 7]}),
    (
        "expect_column_values_to_be_null",
        {
            "column": "outside_m",
            "row_condition": {
                "type": "and",
                "conditions": [
                    _where(">=", 3, "severity"),
                    {"type": "nullity", "column": {"name": "satisfaction"}, "is_null": False},
                ],
            },
        },
    ),
]
RULES = (*suites()["events"].of_level("row"), *(_more(i, kind, kwargs) for i, (kind, kwargs) in enumerate(MORE)))


@functools.cache
def checks() -> list[Checks]:
    columns = {name for rule in RULES for name in _columns(rule)}
    suite = Suite("events", "events", RULES)
    return [compiled(suite, severity, columns) for severity in ("reject", "warn")]


def _columns(rule: Expectation) -> set[str]:
    named = {rule.kwargs[name] for name in ("column", "column_A", "column_B") if name in rule.kwargs}
    return named | {"status", "severity", "satisfaction"}


@pytest.fixture(scope="module")
def validated(great_expectations: Any) -> Any:
    """A function from a pandas frame to the rows that Great Expectations objects to, by rule."""
    gx = great_expectations
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("frames").add_dataframe_asset("events")
    whole = source.add_batch_definition_whole_dataframe("whole")
    suite = gx.ExpectationSuite("rows")
    for rule in RULES:
        configuration = ExpectationConfiguration(rule.type, rule.kwargs, meta={"rule": rule.rule})
        suite.add_expectation(configuration.to_domain_obj())  # keeps a second rule of a kind on a column
    result_format = {"result_format": "COMPLETE", "unexpected_index_column_names": ["kafka_offset"]}

    def validate(frame: Any) -> dict[str, set[int]]:
        outcome = whole.get_batch({"dataframe": frame}).validate(suite, result_format=result_format)
        return {result.expectation_config.meta["rule"]: _unexpected(result) for result in outcome.results}

    return validate


def _unexpected(result: Any) -> set[int]:
    assert not result.exception_info.get("raised_exception"), result.exception_info
    return {int(row["kafka_offset"]) for row in result.result.get("unexpected_index_list") or ()}


def objected(columns: Columns) -> dict[str, set[int]]:
    """The rows that the stream objects to, by rule."""
    return {
        rule: set(broken.nonzero()[0].tolist())
        for check in checks()
        for rule, broken in zip(check.rules, check.broken(columns), strict=True)
    }


def test_the_rows_are_on_both_sides_of_every_rule() -> None:
    rows = stored(2000, seed=1)
    counts = {rule: len(numbers) for rule, numbers in objected(Columns(rows, CONTEXT)).items()}
    assert [rule for rule, number in counts.items() if not 0 < number < rows.num_rows] == ["more_3"]  # due_at is given


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (20, 2), (60, 3), (2000, 4)])
def test_the_stream_and_great_expectations_object_to_the_same_rows(validated: Any, count: int, seed: int) -> None:
    """Each validation takes 0.4 s for the 40 rules, however many the rows are: many rows, few validations."""
    columns = Columns(table(drawn(count, seed)), CONTEXT)
    ours = objected(columns)
    whole = columns.rows
    for name in {name for rule in RULES for name in _columns(rule)} - set(whole.schema.names):
        whole = whole.append_column(name, columns[name])
    assert validated(whole.to_pandas()) == ours

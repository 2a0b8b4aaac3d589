"""The suites' files: what is refused on reading, and that rules and reasons fit together."""

import subprocess
import sys

import pytest

from schemas.expectations import parse, suites
from schemas.reasons import reasons

RULE = """
  - type: expect_column_values_to_be_between
    kwargs: {column: severity, max_value: 4}
    meta: {rule: RULE, level: row, severity: warn, owner: source, zh: 甲, en: a}
"""


def suite(*rules: str) -> bytes:
    return ("table: events\nexpectations:" + "".join(rules)).encode()


def rule(name: str = "some_rule") -> str:
    return RULE.replace("RULE", name)


def test_a_suite_reads_its_own_table_unless_it_names_another() -> None:
    plain = parse(suite(rule()), "events.yaml")
    assert (plain.table, plain.reads) == ("events", "events")
    assert plain.of_level("row") == plain.expectations
    assert plain.of_level("table") == ()
    assert suites()["events"].reads == "quality_events"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- 1", "Expected `object`"),
        (suite(rule().replace("owner: source", "owner: source, note: x")), "unknown field `note`"),
        (suite(rule().replace("owner: source, ", "")), "missing required field `owner`"),
        (suite(rule().replace("level: row", "level: cell")), "cell"),
        (suite(rule().replace("zh: 甲", "zh: ''")), "length >= 1"),
        (suite(rule(), rule()), "rule id used twice: some_rule"),
        (
            suite(rule().replace("severity: warn", "severity: critical")),
            "of a row rule is one of reject, warn",
        ),
        (suite(rule().replace("level: row", "level: table")), "severity of a table rule is one of critical"),
        (
            suite(rule().replace("severity: warn", "severity: reject")),
            "some_rule: rejects messages, but is not a reason",
        ),
        (suite(rule("not_json").replace("severity: warn", "severity: reject")), "not a reason of stage judge"),
    ],
)
def test_what_is_refused_on_reading(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match="events.yaml: ") as refused:
        parse(content, "events.yaml")
    assert said in str(refused.value)


def test_every_reason_of_judging_is_a_rule_that_refuses() -> None:
    refusing = {one.rule for one in suites()["events"].of_level("row") if one.severity == "reject"}
    assert refusing == {name for name, reason in reasons().items() if reason.stage == "judge"}


def test_reading_does_not_import_great_expectations() -> None:
    """It takes 7.5 s, and the stream reads the suites."""
    code = "import sys, schemas.expectations as e; e.suites(); sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

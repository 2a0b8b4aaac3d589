"""What is read from a result of Great Expectations: a broken rule, and a rule that could not be computed."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from types import ModuleType
from typing import Any

import pytest

from dagster_project.quality import MOST_DAYS, due
from infra.cli.figures.quality import exit_code
from pipelines.errors import UserFault
from pipelines.quality.checkpoint import sample_query, suites_of
from pipelines.quality.docs import index, offline
from pipelines.quality.history import Document
from pipelines.quality.outcome import RuleResult, errors, rule_result, without_values
from schemas.contract.v1 import STATUSES
from schemas.expectations import Expectation, suites
from schemas.reasons import reasons

DAY = date(2026, 11, 20)
RULE = Expectation(
    "expect_column_values_to_be_between", {"column": "severity"}, "sev", "table", "critical", "o", "中", "en"
)
FINE = {"raised_exception": False, "exception_traceback": None, "exception_message": None}
SECRET = "张三丰住在和平路"
RAISED = {
    "exception_message": f"Code: 6. DB::Exception: Cannot parse string '{SECRET}' as Int. (CANNOT_PARSE_TEXT) (url x)",
    "exception_traceback": f"Traceback {SECRET}",
    "raised_exception": True,
}
BROKEN = {"element_count": 10, "missing_count": 2, "unexpected_count": 1, "partial_unexpected_list": [SECRET]}


def _result(success: bool, info: dict[str, Any], **result: Any) -> dict[str, Any]:
    return {
        "success": success,
        "result": result,
        "exception_info": info,
        "expectation_config": {"type": "t", "meta": {}},
    }


def _rule_result(success: bool, info: dict[str, Any], **result: Any) -> RuleResult:
    return rule_result(RULE, "events", DAY, _result(success, info, **result), 10, "SELECT 1")


def test_a_broken_rule_is_counted_among_the_rows_that_have_a_value() -> None:
    result = _rule_result(False, FINE, **BROKEN)
    assert (result.outcome, result.unexpected, result.checked, result.percent) == ("failed", 1, 8, 12.5)
    assert result.grave


def test_the_rows_of_a_query_need_not_be_those_of_the_table() -> None:
    result = _rule_result(False, FINE, observed_value=24)
    assert (result.outcome, result.unexpected, result.checked, result.percent) == ("failed", 24, 10, None)


@pytest.mark.parametrize("info", [RAISED, {"MetricConfigurationID(a)": RAISED, "MetricConfigurationID(b)": FINE}])
def test_what_could_not_be_computed_is_not_a_broken_rule(info: dict[str, Any]) -> None:
    result = _rule_result(False, info)
    assert (result.outcome, result.unexpected, result.percent, result.grave) == ("error", None, None, False)
    assert result.detail == "ClickHouse 6 CANNOT_PARSE_TEXT"


def test_other_errors_are_reported_by_their_first_line() -> None:
    info = {"raised_exception": True, "exception_message": 'Error: The column "nope" does not exist.\nTraceback'}
    assert list(errors(_result(False, info))) == ['Error: The column "nope" does not exist.']


@pytest.mark.parametrize("info", [FINE, RAISED, {"m": RAISED}])
def test_values_are_not_kept(info: dict[str, Any]) -> None:
    kept = without_values(_result(False, info, **BROKEN), "SELECT 1")
    assert SECRET not in str(kept)
    assert kept["result"]["unexpected_count"] == 1
    assert kept["expectation_config"]["meta"]["sample_query"] == "SELECT 1"


def test_the_exit_code_distinguishes_a_critical_rule_from_a_rule_that_could_not_be_computed() -> None:
    passed, failed, lost = (_rule_result(True, FINE), _rule_result(False, FINE, **BROKEN), _rule_result(False, RAISED))
    slight = replace(failed, severity="warn")
    assert [exit_code(seen) for seen in ([passed, slight], [passed, lost], [lost, failed])] == [0, 3, 1]


def test_a_sample_query_reads_what_analysts_may_read() -> None:
    suite = suites()["events"]
    for expectation in suite.expectations:
        text = sample_query(suite, expectation, DAY, None)
        assert "quality_samples" in text
        assert "{" not in text and "$day" not in text
        assert not {"quality_events", "events"} & set(text.replace("(", " ").split())


def test_the_query_of_great_expectations_is_made_fit_to_paste() -> None:
    suite, batch = suites()["reports"], "SELECT * FROM reports WHERE day = '2026-11-20'"
    text = sample_query(suite, suite.expectations[0], DAY, f"SELECT `report_id` \nFROM {batch} \nWHERE 1;")
    assert text == f"SELECT `report_id` \nFROM ({batch}) \nWHERE 1\nLIMIT 100"


def test_a_table_without_expectations_is_the_users_mistake() -> None:
    with pytest.raises(UserFault, match="choose from 可选: events, ledger"):
        suites_of(["nope"])


@pytest.mark.parametrize(
    ("table", "rule", "wanted"),
    [
        ("quarantine", "reason_is_listed", list(reasons())),
        ("events", "status_known", list(STATUSES)),
    ],
)
def test_closed_lists_are_those_of_the_contract(table: str, rule: str, wanted: list[str]) -> None:
    (expectation,) = (e for e in suites()[table].expectations if e.rule == rule)
    assert expectation.kwargs["value_set"] == wanted


def test_nothing_on_a_page_comes_from_elsewhere() -> None:
    page = (
        "<html><head><title>x</title><link rel='stylesheet' href='https://cdn.example/a.css'>"
        "<style>b { background: url('https://elsewhere.example/logo.png') }</style>"
        "<script src='https://cdn.example/a.js'></script></head><body><img src='https://cdn.example/logo.png'>"
        "<a href='https://elsewhere.example'>out</a><a href='#below'>below</a><table><td>Status</td></table>"
        "<footer><a href='https://elsewhere.example/news'>news</a></footer></body></html>"
    )
    text = offline(page, "events · 2026-11-20")
    assert "http" not in text and "<script" not in text and "<img" not in text
    assert "out<a href='#below'>below</a>" in text
    assert "结论 Status" in text and "<title>events · 2026-11-20</title>" in text


def test_the_first_page_counts_by_table_and_day() -> None:
    results = [_result(True, FINE), _result(False, FINE), without_values(_result(False, {"m": RAISED}), "")]
    page = index([Document("events", DAY, "r", datetime(2026, 11, 20), json.dumps({"results": results}))])
    assert '<td class="error"><a href="events_2026-11-20.html">✓ 1 ✗ 1 ？ 1</a></td>' in page


def test_by_day_only_the_two_newest_days_are_checked_and_all_of_them_at_night() -> None:
    rebuilt = [date(2026, 11, day) for day in (18, 19, 20)]
    assert due(rebuilt, datetime(2026, 11, 20, 15, 37)) == [date(2026, 11, 20), date(2026, 11, 19)]
    assert due(rebuilt, datetime(2026, 11, 20, 3, 37)) == sorted(rebuilt, reverse=True)
    years = [date.fromordinal(700_000 + n) for n in range(1000)]
    assert len(due(years, datetime(2026, 11, 20, 3, 37))) == MOST_DAYS


def test_great_expectations_takes_every_rule(great_expectations: ModuleType) -> None:
    from pipelines.quality import gx

    gx.gx.get_context(mode="ephemeral")
    for suite in suites().values():
        rules = gx.translated(suite, DAY).expectations
        assert {rule.meta["rule"] for rule in rules} == {rule.rule for rule in suite.expectations}
        assert "$day" not in str([rule.configuration.kwargs for rule in rules])
        assert all(rule.description.endswith(f"({rule.meta['rule']})") for rule in rules)


_RENDERS = """
from datetime import datetime
from pipelines.quality import docs
text = '{"results": [], "success": true, "suite_name": "s", "statistics": {}, "meta": {}}'
docs.rendered(docs.Document("events", None, "", datetime.now(), text))
from pipelines.quality import gx
print("imported")
"""


def test_it_can_be_imported_if_the_main_module_has_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """As in a run of Dagster's code server. A worker of xdist is such a process; without xdist, one is started."""
    if hasattr(sys.modules["__main__"], "__file__"):
        answer = subprocess.run([sys.executable, "-c", _RENDERS], capture_output=True, text=True, check=False)
        assert answer.stdout.strip() == "imported", answer.stderr
    else:
        exec(_RENDERS, {})
        assert capsys.readouterr().out.strip() == "imported"

"""What a person sees in Dagster, asked as its web UI asks: results of checks, which checks can be run, partitions."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

from dagster_project import quality
from dagster_project.definitions import defs
from dagster_project.rebuild import add_days
from dagster_project.stream import Cursor, asset_events, next_cursor
from pipelines.clock import utc_now
from pipelines.quality.checkpoint import Checked
from pipelines.quality.outcome import RuleResult, rule_result
from pipelines.stream.state import StreamState
from pipelines.watch.figures import Lag, LedgerFigures
from pipelines.watch.health import Observation, judge
from schemas.expectations import Suite, suites
from tests.support.dagster_page import partitions, run_alone, statuses

EVENTS = dg.AssetKey("events")
FAILING = dg.AssetCheckKey(EVENTS, "severity_in_range")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    overrides = {"telemetry": {"enabled": False}}
    with instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as created:
        yield created


def report_progress(instance: dg.DagsterInstance) -> None:
    """What the sensor reports when the stream has loaded and rejected messages."""
    moment = utc_now()
    figures = LedgerFigures(
        batch_id=7, batch_rows=50, batch_age_seconds=1.0, rows_per_second=20.0, good=90, quarantined=8, duplicates=2,
        hour_quarantined=8, hour_rows=100,
    )  # fmt: skip
    seen = Observation(moment, StreamState("running", moment, 1), alive=True, lag=Lag(), ledger=figures)
    before = Cursor()
    for event in asset_events(seen, judge(seen), before, next_cursor(seen, judge(seen), before)):
        instance.report_runless_asset_event(event)


def test_every_check_can_be_run_alone(instance: dg.DagsterInstance) -> None:
    alone = run_alone(instance)
    assert len(alone) > 70
    assert all(alone.values())


def test_only_days_with_reports_are_partitions(instance: dg.DagsterInstance) -> None:
    days = [date(2018, 1, 1), date(2026, 11, 1), date(2026, 11, 2)]
    add_days(instance, days)
    for day in days[:2]:
        instance.report_runless_asset_event(dg.AssetMaterialization("rollup_daily", partition=day.isoformat()))
    assert partitions(instance) == (3, 2)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The rules that were run, without Great Expectations and ClickHouse; each of them is broken by a row."""
    seen: list[tuple[str, ...]] = []

    def run(_: object, suite: Suite, days: Sequence[date], run_id: str | None) -> tuple[Checked, ...]:
        rules = tuple(rule.rule for rule in suite.expectations)
        seen.append((*rules, "stored") if run_id else rules)
        return tuple(Checked(suite.table, day, utc_now(), 9, 0.0, _broken(suite, day), "{}") for day in days)

    monkeypatch.setattr(quality, "_run", run)
    return seen


def _broken(suite: Suite, day: date) -> tuple[RuleResult, ...]:
    result = {"success": False, "result": {"unexpected_count": 1, "element_count": 9}}
    return tuple(rule_result(rule, suite.table, day, result, 9, "SELECT 1") for rule in suite.expectations)


def test_a_run_of_one_check_runs_and_reports_that_one(instance: dg.DagsterInstance, ran: list[tuple[str, ...]]) -> None:
    job = defs.resolve_job_def("check_quality").get_subset(asset_check_selection={FAILING})
    assert job.execute_in_process(instance=instance).success
    assert ran == [(FAILING.name,)]  # and nothing is stored for the Data Docs, which show all rules
    shown = {key: status for key, status in statuses(instance).items() if status}
    assert shown == {("events", FAILING.name): "FAILED"}


def test_a_run_of_all_checks_is_stored(instance: dg.DagsterInstance, ran: list[tuple[str, ...]]) -> None:
    assert defs.resolve_job_def("check_quality").execute_in_process(instance=instance).success
    assert len(ran) == len(suites())
    assert all(rules[-1] == "stored" for rules in ran)


@pytest.mark.usefixtures("ran")
def test_failed_checks_stay_in_view_while_the_stream_loads(instance: dg.DagsterInstance) -> None:
    """Checks of a run: Dagster takes a result and a materialization that both have no run for those of one run."""
    assert defs.resolve_job_def("check_quality").execute_in_process(instance=instance).success
    report_progress(instance)
    shown = statuses(instance)
    for table in ("events", "reports", "ledger", "quarantine"):
        assert {shown[table, rule.rule] for rule in suites()[table].expectations} == {"FAILED"}

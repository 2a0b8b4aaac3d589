"""The rollup and the marts on a real server, as the users that run and read them."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from dagster._core.test_utils import instance_for_test
from typer.testing import CliRunner

from dagster_project.definitions import defs
from infra.cli.figures import marts
from pipelines.errors import UserFault
from pipelines.marts.catalog import MARTS
from pipelines.marts.read import Reader
from pipelines.marts.rollup import build_day, recompute_differences
from pipelines.marts.runner import execute, plan_days, plan_stale
from pipelines.marts.swap import Superseded, Swap
from pipelines.services.clickhouse import connect
from pipelines.services.queries import query_text
from pipelines.verify.rollup import check_rollup
from schemas.registry import grids
from tests.support.dagster_page import partitions, statuses
from tests.support.rollup import CITY, DAY, insert, private_tables
from tests.support.stack import Stack

BUILT = {"rollup_daily", *(mart.table for mart in MARTS)}
RunJob = Callable[..., dg.ExecuteInProcessResult]


def _reported(client: Client, day: date = DAY) -> int:
    return int(
        client.query("SELECT sum(reported) FROM rollup_daily WHERE day = {d:Date}", {"d": day}).result_rows[0][0]
    )


def test_touched_days_are_rebuilt_and_hold(stack: Stack) -> None:
    insert(stack.loader, 500)
    insert(stack.loader, 200, status="closed", hours=3)
    result = execute(stack.loader, plan_stale(stack.loader, settle=0))
    assert [(day.day, day.reports) for day in result.days] == [(DAY, 500)]
    assert recompute_differences(stack.engineer, DAY) == []
    assert check_rollup(stack.engineer).state == "holds"  # the same question, asked by other code
    assert plan_stale(stack.loader, settle=0).steps == 0
    assert private_tables(stack.loader) == 0


def test_eight_builds_at_once_leave_one_day_right(stack: Stack) -> None:
    insert(stack.loader, 2_000)
    start = threading.Barrier(8)

    def build(n: int) -> bool:
        client = connect(stack.settings.clickhouse("loader"))
        start.wait()
        try:
            return build_day(client, DAY, f"run {n}").superseded
        finally:
            client.close()

    with ThreadPoolExecutor(8) as pool:
        superseded = list(pool.map(build, range(8)))
    assert not all(superseded)
    assert _reported(stack.loader) == 2_000
    assert recompute_differences(stack.engineer, DAY) == []
    assert private_tables(stack.loader) == 0


def test_a_day_that_changes_under_its_builds_is_right_in_the_end(stack: Stack) -> None:
    """Two runs go on while messages come in; once all is quiet one more run finds what they missed."""
    insert(stack.loader, 300)
    quiet = threading.Event()

    def keep_building() -> None:
        client = connect(stack.settings.clickhouse("loader"))
        while not quiet.is_set():
            execute(client, plan_days([DAY]))
        client.close()

    builders = [threading.Thread(target=keep_building) for _ in range(2)]
    for builder in builders:
        builder.start()
    for hours in range(1, 6):
        insert(stack.loader, 300, status="closed" if hours == 5 else "accepted", hours=hours)
    quiet.set()
    for builder in builders:
        builder.join()
    execute(stack.loader, plan_stale(stack.loader, settle=0))
    assert recompute_differences(stack.engineer, DAY) == []
    closed = stack.scalar("SELECT sum(closed) FROM rollup_daily WHERE day = {d:Date}", d=DAY)
    assert closed == 300
    assert check_rollup(stack.engineer).state == "holds"


def test_a_suspended_build_that_wakes_up_changes_nothing(stack: Stack) -> None:
    insert(stack.loader, 10)
    with pytest.raises(Superseded), Swap(stack.loader, "rollup_daily", DAY) as suspended:
        suspended.fill(query_text("marts/rollup.sql"), {"day": DAY})
        insert(stack.loader, 25)
        build_day(stack.loader, DAY, "later")
        suspended.commit()
    assert _reported(stack.loader) == 25


def test_a_failed_build_leaves_the_day_as_it_was(stack: Stack) -> None:
    insert(stack.loader, 10)
    build_day(stack.loader, DAY, "good")
    with pytest.raises(DatabaseError), Swap(stack.loader, "rollup_daily", DAY) as build:
        build.fill("SELECT throwIf(true)", {})
    assert _reported(stack.loader) == 10
    assert private_tables(stack.loader) == 0


def test_readers_see_rankings_with_names_and_no_small_counts(stack: Stack) -> None:
    insert(stack.loader, 600)
    execute(stack.loader, plan_stale(stack.loader, settle=0))
    published, whole = Reader(stack.engineer), Reader(stack.engineer, published=False)
    counties = published.ranking(CITY, "county", "day", day=DAY)
    in_grids = published.ranking(CITY, "grid", "day", day=DAY, limit=100_000)
    all_grids = whole.ranking(CITY, "grid", "day", day=DAY, limit=100_000)
    assert len(counties) == 10
    assert sum(county.reported or 0 for county in counties) == 600
    assert all(county.area_zh and county.area_en and county.parent_zh for county in counties)
    assert [county.rank for county in counties] == sorted(county.rank or 0 for county in counties)
    assert {grid.reported for grid in in_grids} == {None}  # one report a grid at most
    assert len(all_grids) == len(in_grids) == len(grids(CITY))
    assert sum(grid.reported or 0 for grid in all_grids) == 600


@pytest.fixture
def gridstream(in_environment: None) -> Callable[..., Any]:
    """Runs one of the commands with --json; what it printed, decoded."""
    app = typer.Typer()
    marts.register(app)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def test_the_commands_rebuild_and_show(stack: Stack, gridstream: Callable[..., Any]) -> None:
    insert(stack.loader, 600)
    built = gridstream("rebuild", "--from", DAY.isoformat())
    assert [(day["day"], day["reports"]) for day in built["days"]] == [(DAY.isoformat(), 600)]
    assert built["marts"]["area_ranking"]["partitions"] == 3
    ranked = gridstream("ranking", "--level", "county", "--period", "week", "--user", "engineer")
    assert sum(area["reported"] for area in ranked["areas"]) == 600
    county = ranked["areas"][0]
    towns = gridstream("ranking", "--level", "town", "--within", county["area_code"], "--user", "engineer")
    assert sum(town["reported"] for town in towns["areas"]) == county["reported"]
    cards = gridstream("scorecard", "--level", "town", "--day", DAY.isoformat(), "--user", "engineer")
    assert sum(card["messages"] for card in cards["areas"]) == 600
    of_county = gridstream("scorecard", "--level", "town", "--within", county["area_code"], "--user", "engineer")
    assert {card["area_code"] for card in of_county["areas"]} == {town["area_code"] for town in towns["areas"]}
    trends = gridstream("trends", "--day", DAY.isoformat(), "--user", "engineer")
    assert sum(kind["recent"] for kind in trends["types"]) == 600


@pytest.mark.parametrize(
    "arguments",
    [["rebuild", "--to", "2026-11-01"], ["rebuild", "--from", "2026-11-02", "--to", "2026-11-01"],
     ["ranking", "--city", "123456"], ["ranking", "--day", "2001-01-01"], ["trends", "--area", "000000"],
     ["ranking", "--level", "town", "--within", "999999"], ["trends", "--area", "330203001001"],
     ["scorecard", "--day", "2001-01-01"]],
)  # fmt: skip
def test_a_mistake_is_a_users_fault(stack: Stack, gridstream: Callable[..., Any], arguments: list[str]) -> None:
    reader = [] if arguments[0] == "rebuild" else ["--user", "engineer"]
    with pytest.raises(UserFault):
        gridstream(*arguments, *reader)


@pytest.fixture
def in_dagster(in_environment: None) -> RunJob:
    """Runs a job of the code location in this process, against the test's stack."""

    def run(job: str, **config: Any) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(job).execute_in_process(run_config=config or None, raise_on_error=False)

    return run


def test_the_jobs_build_check_and_report(stack: Stack, in_dagster: RunJob) -> None:
    insert(stack.loader, 50)
    insert(stack.loader, 20, DAY - timedelta(days=1))
    built = in_dagster("rebuild_stale")
    assert built.success
    events = [event.materialization for event in built.all_events if event.is_step_materialization]
    days = {event.partition for event in events if event.asset_key == dg.AssetKey("rollup_daily")}
    assert days == {DAY.isoformat(), (DAY - timedelta(days=1)).isoformat()}
    checked = in_dagster("check_figures")
    assert checked.success
    evaluations = checked.get_asset_check_evaluations()
    passed = [evaluation.check_name for evaluation in evaluations if evaluation.passed]
    assert passed.count("equals_recomputation") == len(MARTS)
    assert {"ledger_balances", "rollup_equals_recomputation", "figures_are_current"} <= set(passed)
    # No stream ever ran in this test: the check reports that.
    assert {evaluation.check_name for evaluation in evaluations if not evaluation.passed} == {"stream_keeps_up"}


@pytest.mark.usefixtures("in_environment")
def test_a_rebuild_leaves_a_result_of_every_check_in_view(stack: Stack, tmp_path: Path) -> None:
    """Dagster hides results that are older than what was built; days without reports are not shown at all."""
    job = defs.resolve_job_def("rebuild_stale")
    with instance_for_test(overrides={"telemetry": {"enabled": False}}, temp_dir=str(tmp_path)) as instance:
        for reports in (50, 70):
            insert(stack.loader, reports)
            insert(stack.loader, 20, DAY - timedelta(days=1))
            assert job.execute_in_process(instance=instance).success
            built = {key: status for key, status in statuses(instance).items() if key[0] in BUILT}
            assert len(built) == 16
            assert built.pop(("rollup_daily", "figures_are_current")) is not None
            assert set(built.values()) == {"SUCCEEDED"}, built
        assert partitions(instance) == (2, 2)
    assert stack.scalar("SELECT count() FROM quality_documents") == 0  # stored every hour


def test_a_wrong_figure_fails_the_check(stack: Stack, in_dagster: RunJob) -> None:
    insert(stack.loader, 50)
    range_ = {"from_day": DAY.isoformat(), "to_day": DAY.isoformat()}
    assert in_dagster("rebuild_days", ops={"rebuild_range": {"config": range_}}).success
    stack.loader.command("ALTER TABLE rollup_daily UPDATE handled = 7 WHERE 1 SETTINGS mutations_sync = 1")
    row = "('grid.reports', '{t}', 0, 0, 9, 'after', 8, 1, 0)".replace("grid.reports", stack.topic)
    columns = "(topic, topic_id, kafka_partition, first_offset, last_offset, phase, good, quarantined, duplicates)"
    stack.loader.command(f"INSERT INTO ledger {columns} VALUES {row}")
    checked = in_dagster("check_figures")
    failed = {item.check_name for item in checked.get_asset_check_evaluations() if not item.passed}
    assert {"rollup_equals_recomputation", "ledger_balances"} <= failed

"""The code location: it loads fast, without services, and says how things depend on each other."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.test_utils import instance_for_test

from dagster_project.definitions import defs
from dagster_project.marts import DAYS, POOL
from dagster_project.rebuild import DayRange, add_days, rebuild_days, rebuild_stale
from infra.local.services.dagster import MODULE
from pipelines.errors import UserFault
from pipelines.marts.catalog import MARTS

ROOT = Path(__file__).parents[3]
TABLES = {"events", "quarantine", "ledger", "reports", "rollup_daily", *(mart.table for mart in MARTS)}
SENSELESS = [("2026-11-31", "2026-12-01"), ("today", "2026-11-01"), ("2026-11-02", "2026-11-01")]
HEAVY = ("great_expectations", "pyspark", "numba", "sklearn")


def test_it_loads_within_ten_seconds_and_without_heavy_imports() -> None:
    """Every run of a job and every reload by the daemon pays for the import."""
    probe = f"import sys, {MODULE}; print([name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, env=_elsewhere())
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def _elsewhere() -> dict[str, str]:
    """Settings that point to services which are not there."""
    nowhere = {"GRIDSTREAM_KAFKA": "127.0.0.1:1", "GRIDSTREAM_CLICKHOUSE_URL": "http://127.0.0.1:1"}
    return os.environ | nowhere | {"GRIDSTREAM_LOADER_PASSWORD": "", "GRIDSTREAM_ENGINEER_PASSWORD": ""}


def test_everything_in_it_fits_together() -> None:
    dg.Definitions.validate_loadable(defs)


def test_each_table_is_an_asset_under_its_own_name() -> None:
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert keys == TABLES | {"grid_reports"}


def test_lineage_runs_from_kafka_to_the_marts() -> None:
    graph = defs.resolve_asset_graph()
    above = {key.to_user_string() for key in graph.get_ancestor_asset_keys(dg.AssetKey("mart_rising_types"))}
    assert {"grid_reports", "events", "reports", "rollup_daily", "mart_daily_series"} <= above


def test_dagster_observes_the_stream_and_does_not_run_it() -> None:
    graph = defs.resolve_asset_graph()
    executable = {key.to_user_string() for key in graph.executable_asset_keys}
    assert executable == {"rollup_daily", *(mart.table for mart in MARTS)}


def test_a_day_is_a_partition_once_reports_are_found() -> None:
    """Days without reports are not shown as missing; new days keep the order of the calendar."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert DAYS.get_partition_keys(dynamic_partitions_store=instance) == []
        assert add_days(instance, [date(2026, 11, 2), date(2018, 1, 1)]) == {"2018-01-01", "2026-11-02"}
        add_days(instance, [date(2026, 11, 3), date(2026, 11, 2)])
        keys = DAYS.get_partition_keys(dynamic_partitions_store=instance)
    assert keys == ["2018-01-01", "2026-11-02", "2026-11-03"]


@pytest.mark.parametrize("job", [rebuild_stale, rebuild_days])
def test_rebuilding_runs_one_at_a_time(job: dg.JobDefinition) -> None:
    config = yaml.safe_load((ROOT / "infra" / "local" / "services" / "dagster.yaml").read_text("utf-8"))
    assert [node.definition.pool for node in job.nodes] == [POOL]  # type: ignore[union-attr]
    assert config["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert config["telemetry"] == {"enabled": False}
    assert config["run_monitoring"]["free_slots_after_run_end_seconds"] > 0


def test_dagster_accepts_the_instance_file(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "infra" / "local" / "services" / "dagster.yaml").read_text("utf-8"))
    with instance_for_test(overrides=config, temp_dir=str(tmp_path)) as instance:
        assert instance.global_op_concurrency_default_limit == 1
        assert not instance.telemetry_enabled


def test_a_range_is_both_days_and_all_between() -> None:
    plan = DayRange(from_day="2026-11-01", to_day="2026-11-03").plan()
    assert plan.days == (date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3))


@pytest.mark.parametrize(("first", "last"), SENSELESS)
def test_a_range_that_makes_no_sense_is_the_users_mistake(first: str, last: str) -> None:
    with pytest.raises(UserFault):
        DayRange(from_day=first, to_day=last).plan()


def test_a_mistake_of_the_user_fails_the_run_at_once_with_one_line() -> None:
    config = {"ops": {"rebuild_range": {"config": {"from_day": "2026-11-02", "to_day": "2026-11-01"}}}}
    job = defs.resolve_job_def("rebuild_days")
    result = job.execute_in_process(run_config=config, raise_on_error=False)
    assert not result.success
    assert not result.retry_attempts_for_node("rebuild_range")
    failure = result.failure_data_for_node("rebuild_range")
    assert failure and failure.user_failure_data
    expected = "第一天 2026-11-02 晚于最后一天 2026-11-01 the first day is after the last"
    assert failure.user_failure_data.description == expected

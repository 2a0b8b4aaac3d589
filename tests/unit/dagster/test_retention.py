"""Old runs are deleted with all that Dagster stores of them; what it shows of assets stays as it was."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import freeze_time, instance_for_test

from dagster_project import retention
from dagster_project.resources import Services
from dagster_project.retention import delete_old_runs, old_runs
from infra.settings import settings

CONFIG = Path(__file__).parents[3] / "infra" / "local" / "services" / "dagster.yaml"
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
TABLE = dg.AssetKey("table")


@dg.op
def number() -> int:
    return 1


@dg.op
def show(value: int) -> None:
    print(value)


@dg.job(executor_def=dg.in_process_executor)
def storing() -> None:
    """The output of `number` is stored in a file; `show` writes to the compute log."""
    show(number())


@dg.op(config_schema={"days": [str]})
def build(context: dg.OpExecutionContext) -> None:
    for day in context.op_config["days"]:
        context.log_event(dg.AssetMaterialization(TABLE, partition=day))


@dg.job(executor_def=dg.in_process_executor)
def building() -> None:
    build()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    overrides = {"telemetry": {"enabled": False}}
    with instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as created:
        yield created
    settings.cache_clear()


def store(instance: dg.DagsterInstance, ended_days_ago: float, *days: str) -> str:
    """Id of a run that ended then; it materializes `days`, or stores files."""
    job = dg.reconstructable(building if days else storing)
    config = {"ops": {"build": {"config": {"days": list(days)}}}} if days else {}
    result = dg.execute_job(job, instance, run_config=config)
    assert result.success
    ended = datetime.now(UTC) - timedelta(days=ended_days_ago)
    update(instance, result.run_id, "update_timestamp", ended.replace(tzinfo=None).isoformat(" "))
    return result.run_id


@dg.asset_check(asset="table")
def grows() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


def check(instance: dg.DagsterInstance, ended_days_ago: float) -> str:
    """Id of a run of the check that ended then."""
    job = dg.define_asset_job("checking", dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions([dg.AssetSpec("table")], asset_checks=[grows], jobs=[job])
    result = defs.resolve_job_def("checking").execute_in_process(instance=instance)
    ended = datetime.now(UTC) - timedelta(days=ended_days_ago)
    update(instance, result.run_id, "update_timestamp", ended.replace(tzinfo=None).isoformat(" "))
    return result.run_id


def report(instance: dg.DagsterInstance, table: str, days_ago: float, rows: int) -> None:
    """An observation and a result of a check as of then, as a sensor reports them."""
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    with freeze_time(moment):
        instance.report_runless_asset_event(dg.AssetObservation(table, metadata={"rows": rows}))
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(dg.AssetKey(table), "grows", passed=False, metadata={"rows": rows})
        )
    with sqlite3.connect(home(instance) / "history" / "runs" / "index.db") as index:
        newest = "SELECT max(id) FROM asset_check_executions"
        query = f"UPDATE asset_check_executions SET create_timestamp = ? WHERE id = ({newest})"  # noqa: S608
        index.execute(query, (moment.replace(tzinfo=None).isoformat(" "),))


def update(instance: dg.DagsterInstance, run_id: str, column: str, value: str) -> None:
    with sqlite3.connect(home(instance) / "history" / "runs.db") as runs:
        runs.execute(f"UPDATE runs SET {column} = ? WHERE run_id = ?", (value, run_id))  # noqa: S608


def home(instance: dg.DagsterInstance) -> Path:
    return Path(instance.root_directory)


def files(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Files and folders that are named after the run, anywhere in Dagster's home."""
    return sorted(path.name for path in home(instance).rglob(f"{run_id}*"))


def delete(instance: dg.DagsterInstance) -> dict[str, object]:
    result = delete_old_runs.execute_in_process(instance=instance, resources={"services": Services()})
    events = result.events_for_node("delete_runs")
    metadata = next(event.step_output_data.metadata for event in events if event.is_successful_output)
    return {name: value.value for name, value in metadata.items()}


def test_a_run_is_deleted_with_its_events_and_files_when_it_ended_long_ago(instance: dg.DagsterInstance) -> None:
    old, recent = store(instance, 30.1), store(instance, 29.9)
    assert files(instance, old) == [old, f"{old}.db"]
    assert delete(instance) == {"deleted": 1, "events deleted": 0, "days kept": 30}
    assert delete(instance)["deleted"] == 0
    assert (instance.has_run(old), instance.has_run(recent)) == (False, True)
    assert files(instance, old) == []
    assert files(instance, recent) == [recent, f"{recent}.db"]
    assert len(instance.all_logs(recent)) > 10


def test_the_setting_says_how_many_days(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_DAGSTER_RUN_DAYS", "7")
    settings.cache_clear()
    old, recent = store(instance, 7.1), store(instance, 6.9)
    assert delete(instance)["days kept"] == 7
    assert (instance.has_run(old), instance.has_run(recent)) == (False, True)


def test_a_run_that_has_not_ended_is_never_deleted(instance: dg.DagsterInstance) -> None:
    run_id, tomorrow = store(instance, 100), datetime.now(UTC) + timedelta(days=1)
    for status in dg.DagsterRunStatus:
        update(instance, run_id, "status", status.value)
        assert old_runs(instance, tomorrow) == ([run_id] if status.value in ENDED else [])


def test_a_partition_that_is_built_is_not_shown_as_missing(instance: dg.DagsterInstance) -> None:
    first = store(instance, 90, "2026-10-01", "2026-10-02")
    replaced = store(instance, 80, "2026-10-02")
    newest = store(instance, 70, "2026-10-02")
    assert delete(instance)["deleted"] == 1
    assert [instance.has_run(run_id) for run_id in (first, replaced, newest)] == [True, False, True]
    assert instance.get_materialized_partitions(TABLE) == {"2026-10-01", "2026-10-02"}


def test_the_run_of_the_newest_result_of_a_check_is_kept(instance: dg.DagsterInstance) -> None:
    first, second = check(instance, 90), check(instance, 80)
    with patch.object(retention, "delete_events", return_value=0):
        assert delete(instance)["deleted"] == 1
    assert (instance.has_run(first), instance.has_run(second)) == (False, True)


def test_old_events_without_a_run_are_deleted_except_the_newest(instance: dg.DagsterInstance) -> None:
    for day, rows in ((31, 1), (31, 2), (29, 3), (29, 4)):
        report(instance, "table", day, rows)
    for day, rows in ((60, 1), (50, 2)):
        report(instance, "idle", day, rows)
    assert delete(instance)["events deleted"] == 10  # 3 observations, 3 results and the events of 4
    assert delete(instance)["events deleted"] == 0
    for table, kept in (("table", [4, 3]), ("idle", [2])):
        key = dg.AssetKey(table)
        observed = instance.fetch_observations(key, limit=10).records
        assert [record.asset_event.metadata["rows"].value for record in observed if record.asset_event] == kept
        history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(key, "grows"), limit=10)
        assert [record.evaluation.metadata["rows"].value for record in history if record.evaluation] == kept
        with sqlite3.connect(home(instance) / "history" / "runs" / ".db") as shard:  # the second copy
            query = "SELECT count() FROM event_logs WHERE dagster_event_type = 'ASSET_OBSERVATION' AND asset_key = ?"
            assert shard.execute(query, (key.to_string(),)).fetchone() == (len(kept),)


def test_a_deletion_that_was_cut_off_is_completed_by_the_next(instance: dg.DagsterInstance) -> None:
    run_id = store(instance, 40)
    with patch.object(instance.run_storage, "delete_run", side_effect=OSError), pytest.raises(OSError):
        delete(instance)
    assert instance.has_run(run_id)
    assert delete(instance)["deleted"] == 1
    assert (instance.has_run(run_id), files(instance, run_id)) == (False, [])


@pytest.mark.parametrize("kind", [InstigatorType.SCHEDULE, InstigatorType.SENSOR, InstigatorType.AUTO_MATERIALIZE])
def test_dagster_deletes_ticks_itself(tmp_path: Path, kind: InstigatorType) -> None:
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    with instance_for_test(overrides=config, temp_dir=str(tmp_path)) as instance:
        kept = instance.get_tick_retention_settings(kind)
    for status in (TickStatus.SKIPPED, TickStatus.SUCCESS, TickStatus.FAILURE):
        assert 0 < kept[status] <= 30

"""Keeps Dagster's own storage small: the job that deletes old runs and events, and its schedule.

Ticks of schedules and sensors are deleted by Dagster itself (`retention` in infra/local/services/dagster.yaml).
"""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)

from dagster_project.resources import Services
from pipelines.clock import now

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_EVENT, _RESULT, _TAG = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c, AssetEventTagsTable.c
_SHOWN = ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION", "FRESHNESS_STATE_CHANGE")

# What the pages of assets show: the newest event of each partition, the newest result of each check.
_NEWEST_EVENTS = (
    sa.select(sa.func.max(_EVENT.id))
    .where(_EVENT.dagster_event_type.in_(_SHOWN))
    .group_by(_EVENT.asset_key, _EVENT.dagster_event_type, _EVENT.partition)
)
_NEWEST_RESULTS = sa.select(sa.func.max(_RESULT.id)).group_by(
    _RESULT.asset_key, _RESULT.check_name, _RESULT.partition, _RESULT.execution_status
)


def old_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """Ids of the runs that ended before `before`, without those of what the pages of assets show.

    Dagster deletes the materializations of a run together with it. Without its newest one, a partition would be shown
    as missing although its day is built.
    """
    ended = instance.get_run_ids(dg.RunsFilter(statuses=FINISHED, updated_before=before.astimezone(UTC)))
    with _storage(instance).index_connection() as connection:
        shown = set(connection.scalars(sa.select(_EVENT.run_id).where(_EVENT.id.in_(_NEWEST_EVENTS))))
        shown |= set(connection.scalars(sa.select(_RESULT.run_id).where(_RESULT.id.in_(_NEWEST_RESULTS))))
    return [run_id for run_id in ended if run_id not in shown]


def _storage(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)  # SQLite, PostgreSQL and MySQL are
    return storage


def delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run, its events, and the files of its output and of its ops. The run is last: it can be repeated."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
    storage = _storage(instance)
    if isinstance(storage, SqliteEventLogStorage):  # a file for each run, which `delete_events` only empties
        with storage.index_connection() as connection:
            storage.delete_events_for_run(connection, run_id)
        storage.free_concurrency_slots_for_run(run_id)
        for suffix in ("", "-wal", "-shm"):
            Path(storage.path_for_shard(run_id) + suffix).unlink(missing_ok=True)
    else:
        storage.delete_events(run_id)
    instance.run_storage.delete_run(run_id)


def delete_events(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete what sensors reported and results of checks before `before`, except what is shown; rows deleted.

    No run holds them: Dagster keeps results of checks when it deletes their run.
    """
    moment = before.astimezone(UTC).replace(tzinfo=None)  # as Dagster stores times
    reported = sa.delete(SqlEventLogStorageTable).where(
        _EVENT.run_id == RUNLESS_RUN_ID, _EVENT.timestamp < moment, _EVENT.id.not_in(_NEWEST_EVENTS)
    )
    results = sa.delete(AssetCheckExecutionsTable).where(
        _RESULT.create_timestamp < moment, _RESULT.id.not_in(_NEWEST_RESULTS)
    )
    tags = sa.delete(AssetEventTagsTable).where(
        _TAG.event_timestamp < moment, _TAG.event_id.not_in(sa.select(_EVENT.id))
    )
    storage = _storage(instance)
    with storage.run_connection(RUNLESS_RUN_ID) as connection:  # SQLite stores them twice
        connection.execute(reported)
    with storage.index_connection() as connection:
        return sum(connection.execute(statement).rowcount for statement in (reported, results, tags))


@dg.op
def delete_runs(context: dg.OpExecutionContext, services: Services) -> None:
    """删除早已结束的运行、日志与文件，以及早先的事件。Deletes runs that ended long ago, their files, and old events."""
    days = services.settings.dagster_run_days
    before = now() - timedelta(days=days)
    runs = old_runs(context.instance, before)
    for run_id in runs:
        delete_run(context.instance, run_id)
    events = delete_events(context.instance, before)
    context.log.info(f"{len(runs)} runs deleted that ended more than {days} days ago, and {events} events")
    context.add_output_metadata({"deleted": len(runs), "events deleted": events, "days kept": days})


@dg.job(
    description="删除早已结束的运行与早先的事件（GRIDSTREAM_DAGSTER_RUN_DAYS，缺省 30 天）；"
    "保留各分区、各检查最近一次的\n\n"
    "Delete runs that ended more than GRIDSTREAM_DAGSTER_RUN_DAYS ago (30 by default) and older events, except those"
    " that hold the newest event of a partition or the newest result of a check."
)
def delete_old_runs() -> None:
    delete_runs()


delete_old_runs_daily = dg.ScheduleDefinition(
    name="delete_old_runs_daily",
    job=delete_old_runs,
    cron_schedule="23 4 * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每天删除早已结束的运行\n\nDelete old runs every day.",
)

"""The code location: `dagster_project.definitions`. It loads without any service."""

import dagster as dg

from dagster_project.classifier import classifier_drift, retrain_classifier
from dagster_project.marts import MART_ASSETS, MART_CHECKS, MARTS_GROUP, rollup_daily
from dagster_project.quality import (
    QUALITY_CHECKS,
    build_data_docs,
    build_data_docs_hourly,
    check_quality,
    check_quality_hourly,
)
from dagster_project.quarantine import QUARANTINE_JOBS
from dagster_project.rebuild import (
    check_figures,
    check_figures_hourly,
    rebuild_days,
    rebuild_stale,
    rebuild_stale_every_5_minutes,
)
from dagster_project.resources import Services
from dagster_project.retention import delete_old_runs, delete_old_runs_daily
from dagster_project.stream import STREAM_CHECKS, stream_watch
from dagster_project.stream_tables import SOURCES

marts_follow = dg.AutomationConditionSensorDefinition(
    "marts_follow",
    target=dg.AssetSelection.groups(MARTS_GROUP),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="手工重建某日后，指标随之重建\n\nRebuild the marts after days were materialized by hand.",
)

defs = dg.Definitions(
    assets=[*SOURCES, rollup_daily, *MART_ASSETS],
    asset_checks=[*MART_CHECKS, *STREAM_CHECKS, *QUALITY_CHECKS, classifier_drift],
    jobs=[
        *QUARANTINE_JOBS,
        rebuild_stale,
        rebuild_days,
        check_figures,
        check_quality,
        build_data_docs,
        retrain_classifier,
        delete_old_runs,
    ],
    schedules=[
        rebuild_stale_every_5_minutes,
        check_figures_hourly,
        check_quality_hourly,
        build_data_docs_hourly,
        delete_old_runs_daily,
    ],
    sensors=[stream_watch, marts_follow],
    resources={"services": Services()},
    executor=dg.in_process_executor,  # a run is one process; multiprocess adds 10 s to each
)

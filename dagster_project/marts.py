"""The rollup and the marts as assets, and their checks. The marts are rebuilt after days were materialized by hand."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client

from dagster_project.faults import RETRIES, faults
from dagster_project.metadata import day_metadata, evaluation, log_progress, mart_metadata
from dagster_project.resources import Services
from dagster_project.stream_tables import REPORTS
from infra.settings import settings
from pipelines.clock import now
from pipelines.marts.catalog import AREA_RANKING, DAILY_SERIES, MARTS, RISING_TYPES, SCORECARD, Mart
from pipelines.marts.recheck import recheck_days, recheck_mart
from pipelines.marts.rollup import overdue_days
from pipelines.marts.runner import Plan, execute, plan_mart
from pipelines.services.queries import query_text

MARTS_GROUP = "marts"
MART_EQUAL = "equals_recomputation"
POOL = "rebuild"  # one run at a time, see infra/local/services/dagster.yaml

# Days with reports, as they are found (`dagster_project/rebuild.py`). A day without reports is not shown as missing.
DAYS_NAME = "days_with_reports"
DAYS = dg.DynamicPartitionsDefinition(name=DAYS_NAME)

# A day that is waiting to be rebuilt is missing; eager() would not rebuild the marts of the others until it is built.
FOLLOW = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
# Rankings are rebuilt at least once a day, because open reports become overdue.
DAILY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=30), warn_window=timedelta(hours=26))


@dg.asset(
    deps=[REPORTS],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=MARTS_GROUP,
    kinds={"clickhouse", "sql"},
    pool=POOL,
    retry_policy=RETRIES,
    metadata={
        "dagster/table_name": f"{settings().database}.rollup_daily",
        "query": dg.MetadataValue.md(f"```sql\n{query_text('marts/rollup.sql')}\n```"),
    },
)
def rollup_daily(context: dg.AssetExecutionContext, services: Services) -> dg.MaterializeResult[None]:
    """日汇总：每天、每网格、每类型一行；整天重算后整体换入，不做增量。

    The daily rollup: a row for each day, grid and type. A day is recomputed and swapped in as a whole.
    """
    days = tuple(date.fromisoformat(key) for key in context.partition_keys)
    with faults(), services.clickhouse() as client:
        result = execute(client, Plan(days), log_progress(context.log, len(days)), run_id=context.run_id)
    return dg.MaterializeResult(metadata=day_metadata(result.days))


def mart_asset(mart: Mart, description: str, deps: list[str]) -> dg.AssetsDefinition:
    """An asset that rebuilds the stale periods of a mart."""

    @dg.asset(
        name=mart.table,
        deps=deps,
        description=description,
        group_name=MARTS_GROUP,
        kinds={"clickhouse", "sql"},
        pool=POOL,
        retry_policy=RETRIES,
        automation_condition=FOLLOW,
        freshness_policy=DAILY,
        metadata={
            "dagster/table_name": f"{settings().database}.{mart.table}",
            "views": f"{mart.name}, published_{mart.name}",
            "query": dg.MetadataValue.md(f"```sql\n{mart.build_sql}\n```"),
            "reports behind a row": dg.MetadataValue.md(f"```sql\n{mart.drill_sql}\n```"),
        },
    )
    def build(context: dg.AssetExecutionContext, services: Services) -> dg.MaterializeResult[None]:
        with faults(), services.clickhouse() as client:
            moment = now()
            plan = plan_mart(client, mart, moment)
            result = execute(client, plan, log_progress(context.log, plan.steps), moment, context.run_id)
        return dg.MaterializeResult(metadata=mart_metadata(result.marts))

    return build


MART_ASSETS = [
    mart_asset(
        DAILY_SERIES,
        "县区每日分类型序列：上报、办结、按时。\n\nThe series behind the trends: each county and day by event type.",
        ["rollup_daily"],
    ),
    mart_asset(
        SCORECARD,
        "上报质量评分：全市、来源、县区、镇街，按日；完整、有效、及时、重复、存疑。\n\n"
        "The quality of reporting by city, source, county and town, a day at a time: completeness, validity, "
        "timeliness, duplicates, suspect reports.",
        ["rollup_daily"],
    ),
    mart_asset(
        AREA_RANKING,
        "区域排名：县区、镇街、网格，按日、周、月；只在同一城市内排名，附上报质量分。\n\n"
        "Rankings of counties, towns and grids within a city, by day, week and month, with the quality of reporting.",
        ["rollup_daily", SCORECARD.table],
    ),
    mart_asset(
        RISING_TYPES,
        "异常上升的类型：近 7 天对前 4 周（新城市按已有天数），小数目也稳。\n\n"
        "Event types on the rise: the last 7 days against the 4 weeks before (fewer while a city is new), reliable "
        "for small counts, too.",
        [DAILY_SERIES.table],
    ),
]


@dg.asset_check(asset="rollup_daily", retry_policy=RETRIES)
def rollup_equals_recomputation(services: Services) -> dg.AssetCheckResult:
    """最近重建的日等于由 reports 重算。The days built last equal their recomputation from `reports`."""
    with faults(), services.clickhouse("engineer") as client:
        return _rollup_equal(client)


def _rollup_equal(client: Client) -> dg.AssetCheckResult:
    return _equal(recheck_days(client), "cells")


@dg.asset_check(asset="rollup_daily", retry_policy=RETRIES)
def figures_are_current(services: Services) -> dg.AssetCheckResult:
    """近一周的数字至多落后 15 分钟，更早的 75 分钟。

    Figures of the last week are at most 15 minutes behind what was loaded, older ones at most 75.
    """
    with faults(), services.clickhouse("engineer") as client:
        return _current(client)


def _current(client: Client) -> dg.AssetCheckResult:
    behind = overdue_days(client, now().date())
    metadata: dict[str, Any] = {"days behind": len(behind), "minutes": max(behind.values(), default=0)}
    if behind:
        metadata["days"] = [day.isoformat() for day in behind]
    return dg.AssetCheckResult(passed=not behind, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


def _mart_check(mart: Mart) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=mart.table, name=MART_EQUAL, retry_policy=RETRIES)
    def check(services: Services) -> dg.AssetCheckResult:
        """最近重建的分区等于重算。The partitions built last equal their recomputation."""
        with faults(), services.clickhouse("engineer") as client:
            return _mart_equal(client, mart)

    return check


def _mart_equal(client: Client, mart: Mart) -> dg.AssetCheckResult:
    differences = recheck_mart(client, mart)
    return _equal({f"{period.kind} {period.first}": count for period, count in differences.items()}, "rows")


def _equal(differences: Mapping[Any, int], unit: str) -> dg.AssetCheckResult:
    """Passed if no partition differs; `differences` counts them by partition, in `unit`."""
    wrong = {str(partition): count for partition, count in differences.items() if count}
    figures: dict[str, Any] = {"partitions checked": len(differences), f"differing {unit}": sum(wrong.values())}
    return dg.AssetCheckResult(passed=not wrong, metadata=figures | wrong)


MART_CHECKS = [rollup_equals_recomputation, figures_are_current, *map(_mart_check, MARTS)]


def rechecked(client: Client, rollup: bool, marts: Iterable[Mart]) -> Iterator[dg.AssetCheckEvaluation]:
    """The results of the checks of the rollup, if `rollup`, and of `marts`, for a run that has rebuilt them.

    client: of a user who may read reports.
    """
    if rollup:
        yield evaluation("rollup_daily", "rollup_equals_recomputation", _rollup_equal(client))
        yield evaluation("rollup_daily", "figures_are_current", _current(client))
    for mart in marts:
        yield evaluation(mart.table, MART_EQUAL, _mart_equal(client, mart))

"""The two jobs that rebuild, the job that checks, and their schedules.

Rebuilds may run concurrently without harm; the pool keeps runs from doing the same work twice.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import dagster as dg
from pydantic import Field

from dagster_project.faults import RETRIES, faults
from dagster_project.marts import DAYS_NAME, POOL, rechecked
from dagster_project.metadata import log_progress, materializations
from dagster_project.quality import QUALITY, expected
from dagster_project.resources import Services
from pipelines.clock import now
from pipelines.errors import UserFault
from pipelines.marts.catalog import MARTS
from pipelines.marts.rollup import days_with_reports
from pipelines.marts.runner import BuildResult, Plan, days_between, execute, plan_days, plan_stale

CHECKED_DAYS = 7  # that were built, newest first, after a rebuild; each takes about 2 seconds
UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


class DayRange(dg.Config):
    """Days to rebuild, both included."""

    from_day: str = Field(description="第一天 the first day, 2026-11-01")
    to_day: str = Field(description="最后一天 the last day, 2026-11-30")

    def plan(self) -> Plan:
        """Raises UserFault if a day is malformed or the range is empty."""
        try:
            first, last = date.fromisoformat(self.from_day), date.fromisoformat(self.to_day)
        except ValueError as error:
            raise UserFault(f"日期须写作 a day must be written like 2026-11-01: {error}") from None
        return plan_days(days_between(first, last))


@dg.op(pool=POOL, retry_policy=RETRIES)
def rebuild_touched(context: dg.OpExecutionContext, services: Services) -> None:
    """重建被触及的日与相关指标。

    Rebuilds every day touched since its last build, and the marts that read it; old days at most hourly.
    """
    with faults(), services.clickhouse() as client:
        plan = plan_stale(client, paced=True)
        _build(context, services, plan)


@dg.op(pool=POOL, retry_policy=RETRIES)
def rebuild_range(context: dg.OpExecutionContext, services: Services, config: DayRange) -> None:
    """重建一段日期与相关指标。Rebuilds a range of days, touched or not, and the marts that read them."""
    with faults():
        _build(context, services, config.plan())


def _build(context: dg.OpExecutionContext, services: Services, plan: Plan) -> None:
    context.log.info(f"{len(plan.days)} days and {len(plan.marts)} mart partitions to build")
    with services.clickhouse() as client:
        result = execute(client, plan, log_progress(context.log, plan.steps), now(), context.run_id)
    partitions = add_days(context.instance, [day.day for day in result.days if day.rows])
    for event in materializations(result, partitions):
        context.log_event(event)
    context.log.info(f"{plan.steps} partitions built in {result.seconds:.1f} s, {result.superseded} superseded")
    for checked in _checked(services, result):
        context.log_event(checked)  # type: ignore[arg-type]  # its signature lacks AssetCheckEvaluation


def _checked(services: Services, result: BuildResult) -> Iterator[dg.AssetCheckEvaluation]:
    """The results of all checks of what was built. Dagster hides earlier ones, as they are about earlier data."""
    days, built = [day.day for day in result.days], {build.mart for build in result.marts}
    with services.clickhouse("engineer") as client:
        yield from rechecked(client, bool(days), [mart for mart in MARTS if mart.name in built])
    if days:
        recent = {now().date() - timedelta(days=n) for n in (1, 0)}  # as every hour
        yield from expected(services, "rollup_daily", sorted(recent | set(sorted(days)[-CHECKED_DAYS:])))


def add_days(instance: dg.DagsterInstance, days: Iterable[date]) -> set[str]:
    """Make partitions of days that are none yet; new ones come after the others. Returns all partitions."""
    known = set(instance.get_dynamic_partitions(DAYS_NAME))
    new = {day.isoformat() for day in days} - known
    if new:
        instance.add_dynamic_partitions(DAYS_NAME, sorted(new))
    return known | new


@dg.job(
    description="重建被触及的日与相关指标；早于一周的日每小时至多一次\n\n"
    "Rebuild the days that messages touched, and the marts that read them; days older than a week at most hourly."
)
def rebuild_stale() -> None:
    rebuild_touched()


def _recent() -> dg.RunConfig:
    """The default of the launchpad: yesterday and today, as of the loading of the code location."""
    today = now().date()
    days = DayRange(from_day=(today - timedelta(days=1)).isoformat(), to_day=today.isoformat())
    return dg.RunConfig(ops={"rebuild_range": days})


@dg.job(
    config=_recent(),
    description="重建一段日期\n\nRebuild a range of days, touched or not, for example after a fix.",
)
def rebuild_days() -> None:
    rebuild_range()


check_figures = dg.define_asset_job(
    "check_figures",
    selection=dg.AssetSelection.all_asset_checks() - QUALITY,
    description="核对账本、汇总与指标\n\nCheck the ledger; compare the rollup and the marts with their recomputation.",
)


@dg.schedule(
    job=rebuild_stale,
    cron_schedule="*/5 * * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每 5 分钟：有日期被触及才运行；早于一周的日每小时至多一次\n\n"
    "Every 5 minutes, if a day was touched; days older than a week at most hourly.",
)
def rebuild_stale_every_5_minutes(
    context: dg.ScheduleEvaluationContext, services: Services
) -> dg.RunRequest | dg.SkipReason:
    if context.instance.get_runs(dg.RunsFilter(job_name=rebuild_stale.name, statuses=UNFINISHED), limit=1):
        return dg.SkipReason("上一次仍在运行 the previous run has not ended")
    with services.clickhouse() as client:
        plan = plan_stale(client, paced=True)
        add_days(context.instance, (*days_with_reports(client), *plan.days))
    if not plan.steps:
        return dg.SkipReason("没有被触及的日期 no day was touched")
    return dg.RunRequest(tags={"days": str(len(plan.days)), "partitions": str(plan.steps)})


check_figures_hourly = dg.ScheduleDefinition(
    name="check_figures_hourly",
    job=check_figures,
    cron_schedule="17 * * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每小时核对一次\n\nCheck every hour.",
)

"""The expectations of `schemas/expectations` as asset checks, one for each rule; their schedule; Data Docs.

Great Expectations is imported only inside runs, so that the code location loads without it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.faults import RETRIES, faults
from dagster_project.metadata import evaluation
from dagster_project.resources import Services
from pipelines.clock import now
from pipelines.errors import UserFault
from pipelines.quality.checkpoint import Checked, check
from pipelines.quality.docs import build, page_name, site
from pipelines.quality.history import rebuilt_days, store
from pipelines.quality.outcome import GRAVE, RuleResult
from schemas.expectations import Suite, suites

SHOWN_DAYS = 14  # in Data Docs
MOST_DAYS = 40  # after a backfill of years, 40 days are checked a day, newest first
DAILY_AT = 3  # o'clock: all days that were rebuilt; at other hours only today and yesterday
_GRAVE, _SLIGHT = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


class Days(dg.Config):
    """The days to check."""

    days: list[str] = Field(default=[], description="日期，缺省为昨天与今天 days; by default yesterday and today")

    def dates(self) -> list[date]:
        """Raises UserFault if a day is malformed."""
        today = now().date()
        try:
            return [date.fromisoformat(day) for day in self.days] or [today - timedelta(days=1), today]
        except ValueError as error:
            raise UserFault(f"日期须写作 a day must be written like 2026-11-01: {error}") from None


def _check(suite: Suite) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(
            rule.rule, asset=suite.table, description=f"{rule.zh}\n\n{rule.en}. ({rule.level}, {rule.severity})"
        )
        for rule in suite.expectations
    ]

    @dg.multi_asset_check(
        name=f"expectations_of_{suite.table}",
        specs=specs,
        can_subset=True,
        retry_policy=RETRIES,
        description=f"{suite.table} 的期望\n\nThe expectations of {suite.table}.",
    )
    def run(context: dg.AssetCheckExecutionContext, services: Services, config: Days) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        chosen = tuple(rule for rule in suite.expectations if rule.rule in selected)
        part = Suite(suite.table, suite.reads, chosen)
        # A page of the Data Docs is about all rules: single results are shown by Dagster only.
        run_id = context.op_execution_context.run_id if part == suite else None
        with faults():
            checked = _run(services, part, config.dates(), run_id)
        yield from results(part, checked, services)
        _fail_if_not_computed(checked)

    return run


def _run(services: Services, suite: Suite, days: Sequence[date], run_id: str | None) -> tuple[Checked, ...]:
    """Check `suite` on each of `days`; the results are stored in ClickHouse if there is a `run_id`."""
    target = services.settings.clickhouse("engineer")
    wanted = [(suite, day) for day in days]
    with services.clickhouse() as writer, services.clickhouse("engineer") as reader:
        return check(target, reader, wanted, lambda checked: store(writer, checked, run_id) if run_id else None)


def expected(services: Services, table: str, days: Sequence[date]) -> Iterator[dg.AssetCheckEvaluation]:
    """The result of each rule of `table`, for a run that has rebuilt it; rules that cannot be computed are left out."""
    suite = suites()[table]
    for result in results(suite, _run(services, suite, days, run_id=None), services):
        yield evaluation(table, str(result.check_name), result)


def results(suite: Suite, checked: Iterable[Checked], services: Services) -> Iterator[dg.AssetCheckResult]:
    """A check result for each rule that could be computed on some day; passed if no such day breaks it."""
    all_results = [result for day in checked for result in day.results]
    for expectation in suite.expectations:
        computed = [result for result in all_results if result.rule == expectation.rule and result.outcome != "error"]
        if computed:
            yield dg.AssetCheckResult(
                check_name=expectation.rule,
                asset_key=suite.table,
                passed=all(result.outcome == "passed" for result in computed),
                severity=_GRAVE if expectation.severity in GRAVE else _SLIGHT,
                metadata=_metadata(computed, services),
            )


def _metadata(computed: Sequence[RuleResult], services: Services) -> dict[str, Any]:
    """The figures of the worst day, and the counts of all days."""
    worst = max(computed, key=lambda result: (result.outcome == "failed", result.unexpected or 0, result.day))
    page = site(services.settings.home) / page_name(worst.table, worst.day)
    return {
        "day": str(worst.day),
        "unexpected": worst.unexpected if worst.unexpected is not None else "-",
        "percent": worst.percent if worst.percent is not None else "-",
        "checked": worst.checked if worst.checked is not None else "-",
        "by day": {str(result.day): result.unexpected for result in computed},
        "sample query": dg.MetadataValue.md(f"```sql\n{worst.sample_query}\n```"),
        "owner": worst.owner,
        "Data Docs": dg.MetadataValue.path(str(page)),
    }


def _fail_if_not_computed(checked: Iterable[Checked]) -> None:
    """A rule that could not be computed says nothing about the data: the run fails, but not the check."""
    errors = [result for day in checked for result in day.results if result.outcome == "error"]
    if errors:
        listed = "; ".join(f"{error.table} {error.day} {error.rule}: {error.detail}" for error in errors[:10])
        description = f"{len(errors)} 条规则无法计算 rules could not be computed: {listed}"
        raise dg.Failure(description, allow_retries=False)


QUALITY_CHECKS = [_check(suite) for suite in suites().values()]
QUALITY = dg.AssetSelection.checks(*QUALITY_CHECKS)

check_quality = dg.define_asset_job(
    "check_quality",
    selection=QUALITY,
    description="按期望检查数据，每条规则一个结果\n\n"
    "Check the tables against their expectations, with a result for each rule.",
)


@dg.op(retry_policy=RETRIES)
def build_pages(context: dg.OpExecutionContext, services: Services) -> None:
    """由已存结果生成最近几天的 Data Docs。Builds the Data Docs of the newest days from the stored results."""
    with faults(), services.clickhouse("engineer") as client:
        built = build(client, site(services.settings.home), SHOWN_DAYS)
    context.add_output_metadata(
        {"pages": built.pages, "seconds": built.seconds, "Data Docs": dg.MetadataValue.path(str(built.index))}
    )


@dg.job(description="重建 Data Docs 网页（离线可用）\n\nRebuild the Data Docs, a site that works without a network.")
def build_data_docs() -> None:
    build_pages()


def run_config(days: Iterable[date]) -> dict[str, Any]:
    """Configuration of `check_quality` for `days`."""
    config = {"days": [day.isoformat() for day in days]}
    return {"ops": {checks.node_def.name: {"config": config} for checks in QUALITY_CHECKS}}


@dg.schedule(
    job=check_quality,
    cron_schedule="37 * * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每小时：昨天与今天重建后；每天 3 点：所有重建过的日\n\n"
    "Every hour: yesterday and today, if they were rebuilt; at 3 o'clock: all days that were rebuilt.",
)
def check_quality_hourly(context: dg.ScheduleEvaluationContext, services: Services) -> dg.RunRequest | dg.SkipReason:
    moment = context.scheduled_execution_time.astimezone(now().tzinfo)
    with services.clickhouse("engineer") as client:
        days = due(rebuilt_days(client, moment - timedelta(hours=25), 10_000), moment)
    if not days:
        return dg.SkipReason("没有重建过的日 no day was rebuilt")
    return dg.RunRequest(run_config=run_config(days), tags={"days": str(len(days))})


def due(rebuilt: Sequence[date], moment: datetime) -> list[date]:
    """The rebuilt days that are checked at this hour, newest first."""
    recent = moment.date() - timedelta(days=1)
    wanted = [day for day in rebuilt if moment.hour == DAILY_AT or recent <= day <= moment.date()]
    return sorted(wanted, reverse=True)[:MOST_DAYS]


build_data_docs_hourly = dg.ScheduleDefinition(
    name="build_data_docs_hourly",
    job=build_data_docs,
    cron_schedule="47 * * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每小时重建 Data Docs\n\nRebuild the Data Docs every hour.",
)

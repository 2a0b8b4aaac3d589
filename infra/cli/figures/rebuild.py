"""`gridstream rebuild`: brings the daily rollup and the marts up to date."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from infra.cli.shared.output import AsJson, Column, emit, number, progress, seconds, table
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.marts.build import MartBuild
from pipelines.marts.rollup import DayBuild
from pipelines.marts.runner import BuildResult, Plan, days_between, execute, plan_days, plan_stale

_COLUMNS = (
    Column("表", "table"),
    Column("分区", "partitions", right=True),
    Column("行", "rows", right=True),
    Column("用时", "seconds", right=True),
)


def rebuild(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="第一天 first day, 2026-11-01")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="最后一天 last day; without it, --from alone")
    ] = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="只重建被触及的日 only days touched since their build")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """重建日汇总与指标（排名、序列、上升类型、上报质量）。

    Recomputes the daily rollup and the marts from the current reports: the days from --from to --to, or with --stale
    (the default) those touched since they were built. Safe at any time, also twice at once.
    """
    days = _days(first, last, stale)
    with settings().client("loader") as client:
        plan = plan_stale(client) if days is None else plan_days(days)
        with progress("重建 rebuilding", plan.steps, quiet=as_json) as advance:
            result = execute(client, plan, advance)
    emit(_as_json(result), as_json, lambda: _render(plan, result))


def _days(first: datetime | None, last: datetime | None, stale: bool) -> list[date] | None:
    """The days given, or None for all that are stale."""
    if first is None and last is None:
        return None
    if stale or first is None:
        raise UserFault(
            "请给 --from、--from 与 --to，或仅 --stale give --from, or --from and --to, or --stale alone; "
            "such as: gridstream rebuild --from 2026-11-01"
        )
    return days_between(first.date(), (last or first).date())


def _as_json(result: BuildResult) -> dict[str, Any]:
    marts: dict[str, dict[str, int]] = {}
    for build in result.marts:
        figures = marts.setdefault(build.mart, {"partitions": 0, "rows": 0})
        figures["partitions"] += 1
        figures["rows"] += build.rows
    return {
        "run_id": result.run_id,
        "days": result.days,
        "marts": marts,
        "superseded": result.superseded,
        "swept": result.swept,
        "seconds": round(result.seconds, 3),
    }


def _render(plan: Plan, result: BuildResult) -> RenderableType:
    if not plan.steps:
        return "没有需要重建的日期 nothing to rebuild: all figures are up to date"
    groups: dict[str, Sequence[DayBuild | MartBuild]] = {"日汇总 rollup_daily": result.days}
    for name in dict.fromkeys(build.mart for build in result.marts):
        groups[f"mart_{name}"] = [build for build in result.marts if build.mart == name]
    rows = [
        (name, len(builds), sum(build.rows for build in builds), seconds(sum(build.seconds for build in builds)))
        for name, builds in groups.items()
    ]
    reports = sum(day.reports for day in result.days)
    summary = f"{number(reports)} 件上报 reports, {seconds(result.seconds)}"
    if result.superseded:
        summary += f"; {result.superseded} 个分区由更晚的重建接手 partitions were taken over by a later build"
    return Group(table("重建 rebuilt", _COLUMNS, rows), summary)

"""`gridstream quality`: the expectations of `schemas/expectations`, checked on ClickHouse by Great Expectations."""

import uuid
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, EXIT_HOLDS, AsJson, Column, emit, number, progress, seconds, table
from infra.cli.shared.spinner import spinner
from infra.settings import settings
from pipelines.clock import now
from pipelines.quality.checkpoint import Checked, check, chosen
from pipelines.quality.docs import build, site
from pipelines.quality.history import Kept, keep, latest
from pipelines.quality.outcome import RuleResult
from pipelines.services.clickhouse import connect

EXIT_UNKNOWN = 3  # a rule could not be computed, and none that was is gravely broken
OUTCOMES = {
    "passed": ("符合 passed", "green"),
    "failed": ("违反 failed", "yellow"),
    "error": ("无法计算 not computed", "magenta"),
}
SEVERITIES = {
    "reject": "拒收 reject",
    "warn": "警告 warn",
    "critical": "严重 critical",
    "warning": "警告 warning",
    "info": "提示 info",
}

Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="日期，缺省为今天 a day; without it, today in Shanghai")
]
Table = Annotated[str, typer.Option("--table", help="只此表 only this table, such as events")]
_COLUMNS = (
    Column("规则", "rule"),
    Column("结论", "outcome"),
    Column("程度", "severity"),
    Column("违反", "unexpected", right=True),
    Column("检查", "checked", right=True),
    Column("占比", "percent", right=True),
)


def check_(day: Day = None, only: Table = "", as_json: AsJson = False) -> None:
    """检查一天的数据是否符合期望，结果存入 quality_results。

    Checks a day of each table against its expectations and keeps what was found.

    Exit code 0: nothing grave; 1: a critical or rejecting rule is broken; 3: a rule could not be computed, which says
    nothing of the data; 2: a mistake at the keyboard, or a service that does not answer.
    """
    suites, on = chosen([only] if only else []), day.date() if day else now().date()
    stack = settings()
    target, run = stack.clickhouse("engineer"), uuid.uuid4().hex
    with (
        closing(connect(stack.clickhouse("loader"))) as writer,
        closing(connect(target)) as reader,
        progress("检查 checking", len(suites), quiet=as_json) as advance,
    ):

        def done(checked: Checked) -> None:
            keep(writer, checked, run)
            advance(1)

        found = check(target, reader, [(suite, on) for suite in suites], done)
    emit({"run_id": run, "day": on, "tables": [_plain(one) for one in found]}, as_json, lambda: _shown(found))
    raise typer.Exit(exit_code(finding for one in found for finding in one.findings))


def exit_code(findings: Iterable[RuleResult]) -> int:
    """1 when a rule is broken that must not be, else 3 when one could not be computed, else 0."""
    seen = list(findings)
    if any(one.grave for one in seen):
        return EXIT_FAILS
    return EXIT_UNKNOWN if any(one.outcome == "error" for one in seen) else EXIT_HOLDS


def results(
    day: Day = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="往前看几天 how many days, up to --day")] = 7,
    only: Table = "",
    broken: Annotated[bool, typer.Option("--broken", help="只看不符合的 only what did not pass")] = False,
    queries: Annotated[bool, typer.Option("--queries", help="附上示例查询 with the sample queries")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="最多行数 most rows")] = 200,
    as_json: AsJson = False,
) -> None:
    """查看最近的检查结果。

    Shows what the newest check of each rule and day found, as an analyst may see it.
    """
    chosen([only] if only else [])
    last = day.date() if day else now().date()
    with closing(connect(settings().clickhouse("analyst"))) as client:
        rows = latest(client, last - timedelta(days=days - 1), last, only, broken, limit)
    emit({"results": rows}, as_json, lambda: _listed(rows, queries))


def docs(
    days: Annotated[int, typer.Option(min=1, max=60, help="最近几天 of how many days")] = 7, as_json: AsJson = False
) -> None:
    """重建 Data Docs 网页（离线可用），并给出路径。

    Rebuilds the Data Docs of Great Expectations from the kept results, as a site that works without a network.
    """
    stack = settings()
    with closing(connect(stack.clickhouse("engineer"))) as client, spinner("生成中 building …", quiet=as_json):
        built = build(client, site(stack.home), days)
    emit(built, as_json, lambda: f"{number(built.pages)} 页 pages, {seconds(built.seconds)}\n{built.index.as_uri()}")


def _plain(one: Checked) -> dict[str, Any]:
    return {"table": one.table, "rows": one.rows, "seconds": round(one.seconds, 3), "findings": one.findings}


def _shown(found: Iterable[Checked]) -> RenderableType:
    parts: list[RenderableType] = []
    for one in found:
        title = f"{one.table} · {one.day} · {number(one.rows)} 行 rows · {seconds(one.seconds)}"
        parts.append(table(title, _COLUMNS, map(_cells, one.findings)))
        parts += [_why(finding) for finding in one.findings if finding.outcome != "passed"]
    return Group(*parts)


def _cells(one: RuleResult | Kept) -> tuple[Any, ...]:
    share = "-" if one.percent is None else f"{one.percent:.4g} %"
    name, severity = f"{one.zh} {one.en}\n{one.rule}", SEVERITIES.get(one.severity, one.severity)
    return (name, Text(*OUTCOMES[one.outcome]), severity, one.unexpected, one.checked, share)


def _why(one: RuleResult | Kept) -> Text:
    if one.outcome == "error":
        return Text(f"{one.rule}: 无法计算，与数据无关 could not be computed: {one.detail}", "magenta")
    return Text(f"-- {one.rule}\n{one.sample_query}\n", "dim")


def _listed(rows: list[Kept], queries: bool) -> RenderableType:
    if not rows:
        return "没有结果 nothing found; `gridstream quality check` checks a day"
    columns = (Column("日期", "day"), Column("表", "table"), *_COLUMNS)
    shown = table("检查结果 findings", columns, ((str(one.day), one.table, *_cells(one)) for one in rows))
    return Group(shown, *(_why(one) for one in rows if queries and one.outcome != "passed"))


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="数据质量：期望、结果、Data Docs。\n\nExpectations, findings, docs.")
    group.command("check")(check_)
    group.command()(results)
    group.command()(docs)
    app.add_typer(group, name="quality")

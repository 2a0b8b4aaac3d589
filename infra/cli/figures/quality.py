"""`gridstream quality`: the expectations of `schemas/expectations`, checked on ClickHouse by Great Expectations."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, EXIT_HOLDS, AsJson, Column, emit, number, progress, seconds, table
from infra.cli.shared.spinner import spinner
from infra.settings import settings
from pipelines.clock import now
from pipelines.quality.checkpoint import Checked, check, suites_of
from pipelines.quality.docs import build, site
from pipelines.quality.history import StoredResult, latest, store
from pipelines.quality.outcome import RuleResult

EXIT_UNKNOWN = 3  # a rule could not be computed, and no critical rule is broken
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

    Checks a day of each table against its expectations and stores the results.

    Exit code 0: no critical rule is broken; 1: a critical or rejecting rule is broken; 3: a rule could not be computed,
    which says nothing about the data; 2: wrong input, or a service that does not answer.
    """
    suites, date = suites_of([only] if only else []), day.date() if day else now().date()
    config = settings()
    run = uuid.uuid4().hex
    with (
        config.client("loader") as writer,
        config.client("engineer") as reader,
        progress("检查 checking", len(suites), quiet=as_json) as advance,
    ):

        def done(checked: Checked) -> None:
            store(writer, checked, run)
            advance(1)

        tables = check(config.clickhouse("engineer"), reader, [(suite, date) for suite in suites], done)
    document = {"run_id": run, "day": date, "tables": [_as_json(checked) for checked in tables]}
    emit(document, as_json, lambda: _render_tables(tables))
    raise typer.Exit(exit_code(result for checked in tables for result in checked.results))


def exit_code(results: Iterable[RuleResult]) -> int:
    """1 if a critical or rejecting rule is broken, else 3 if a rule could not be computed, else 0."""
    listed = list(results)
    if any(result.grave for result in listed):
        return EXIT_FAILS
    return EXIT_UNKNOWN if any(result.outcome == "error" for result in listed) else EXIT_HOLDS


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

    Shows the newest result of each rule and day, with the rights of an analyst.
    """
    suites_of([only] if only else [])
    last = day.date() if day else now().date()
    with settings().client("analyst") as client:
        rows = latest(client, last - timedelta(days=days - 1), last, only, broken, limit)
    emit({"results": rows}, as_json, lambda: _render_results(rows, queries))


def docs(
    days: Annotated[int, typer.Option(min=1, max=60, help="最近几天 of how many days")] = 7, as_json: AsJson = False
) -> None:
    """重建 Data Docs 网页（离线可用），并给出路径。

    Rebuilds the Data Docs of Great Expectations from the stored results, as a site that works without a network.
    """
    config = settings()
    with config.client("engineer") as client, spinner("生成中 building …", quiet=as_json):
        built = build(client, site(config.home), days)
    emit(built, as_json, lambda: f"{number(built.pages)} 页 pages, {seconds(built.seconds)}\n{built.index.as_uri()}")


def _as_json(checked: Checked) -> dict[str, Any]:
    seconds_taken = round(checked.seconds, 3)
    return {"table": checked.table, "rows": checked.rows, "seconds": seconds_taken, "findings": checked.results}


def _render_tables(tables: Iterable[Checked]) -> RenderableType:
    parts: list[RenderableType] = []
    for checked in tables:
        title = f"{checked.table} · {checked.day} · {number(checked.rows)} 行 rows · {seconds(checked.seconds)}"
        parts.append(table(title, _COLUMNS, map(_cells, checked.results)))
        parts += [_render_reason(result) for result in checked.results if result.outcome != "passed"]
    return Group(*parts)


def _cells(result: RuleResult | StoredResult) -> tuple[Any, ...]:
    share = "-" if result.percent is None else f"{result.percent:.4g} %"
    name = f"{result.zh} {result.en}\n{result.rule}"
    severity = SEVERITIES.get(result.severity, result.severity)
    return (name, Text(*OUTCOMES[result.outcome]), severity, result.unexpected, result.checked, share)


def _render_reason(result: RuleResult | StoredResult) -> Text:
    if result.outcome == "error":
        return Text(f"{result.rule}: 无法计算，与数据无关 could not be computed: {result.detail}", "magenta")
    return Text(f"-- {result.rule}\n{result.sample_query}\n", "dim")


def _render_results(results: list[StoredResult], queries: bool) -> RenderableType:
    if not results:
        return "没有结果 no results; `gridstream quality check` 检查一天 checks a day"
    columns = (Column("日期", "day"), Column("表", "table"), *_COLUMNS)
    rows = ((str(result.day), result.table, *_cells(result)) for result in results)
    reasons = (_render_reason(result) for result in results if queries and result.outcome != "passed")
    return Group(table("检查结果 results", columns, rows), *reasons)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="数据质量：期望、结果、Data Docs。\n\nExpectations, findings, docs.")
    group.command("check")(check_)
    group.command()(results)
    group.command()(docs)
    app.add_typer(group, name="quality")

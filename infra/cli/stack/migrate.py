"""`gridstream migrate`: bring the database up to date."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from infra.cli.shared.output import AsJson, Column, emit, seconds, table
from infra.settings import settings
from pipelines.database import migrate as migrations
from pipelines.database.migrate import MigrationResult

_STEPS = (
    Column("编号", "number", True),
    Column("迁移", "migration"),
    Column("语句", "statements", True),
    Column("用时", "took"),
)
_DIMENSIONS = (
    Column("名录", "registry"),
    Column("行数", "rows", True),
    Column("新增", "inserted", True),
    Column("移除", "removed", True),
)


def command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="只说明要做什么 show what would be done, change nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """建库建表并装入名录（城市、区县、镇街、网格、事件类型）；可重复执行。

    Creates the database and its tables, and loads the registry; running it again changes nothing.
    """
    result = migrations.run(settings().clickhouse("loader"), dry_run)
    emit(result, as_json, lambda: _render_result(result))


def _render_result(result: MigrationResult) -> RenderableType:
    title = f"数据库 database {result.database}" + ("（试运行 dry run）" if result.dry_run else "")
    steps = [(f"{step.number:04d}", step.name, step.statements, seconds(step.seconds)) for step in result.steps]
    changed = [(d.table, d.rows, d.inserted, d.removed) for d in result.dimensions]
    applied = table(title, _STEPS, steps) if steps else f"{title}: 结构已是最新 the tables are up to date"
    return Group(applied, table("", _DIMENSIONS, changed))


def register(app: typer.Typer) -> None:
    app.command("migrate")(command)

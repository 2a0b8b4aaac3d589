"""`gridstream sql`: a read-only query, by default with the rights of an analyst."""

import re
import shutil
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from clickhouse_connect.driver.client import Client
from rich.console import Group, RenderableType

from infra.cli.shared.output import AsJson, Column, emit, moment, number, table
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.spreadsheet import csv_lines

Reader = Literal["analyst", "engineer", "board"]
_MOST_ROWS = 1_000  # of a table; --json and --csv give all
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)$", re.IGNORECASE)
_TEXT_FORMATS = (
    *("CSV", "CustomSeparated", "JSON", "Markdown", "Null", "Pretty", "SQLInsert"),
    *("TSKV", "TSV", "Tab", "Template", "Values", "Vertical", "XML"),
)
_READ_ONLY = {"readonly": 2}  # 2: reading only, but the query may carry settings


def sql(
    query: Annotated[str | None, typer.Argument(help="查询语句 the query, 'SELECT count() FROM reports'")] = None,
    file: Annotated[Path | None, typer.Option(help="从文件读取，- 为标准输入 file with the query, - for stdin")] = None,
    user: Annotated[Reader, typer.Option(help="以谁的权限 whose rights to use")] = "analyst",
    as_json: AsJson = False,
    csv: Annotated[bool, typer.Option("--csv", help="输出 CSV print CSV with a header")] = False,
    sheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="输出供电子表格打开的 CSV print CSV for spreadsheet programs"),
    ] = False,
) -> None:
    """查询 ClickHouse（只读）。

    Runs a read-only query. The default user, analyst, sees reports, the published views and the registry.

    \b
    --csv           exact values, for programs
    --spreadsheet   for Excel, WPS and others: with a byte-order mark; no text is run as a formula
    FORMAT Parquet  at the end of the query: that format, to a file: gridstream sql "… FORMAT Parquet" > a.parquet
    """
    text = _query(query, file)
    own_format = _FORMAT.search(text)
    if as_json + csv + sheet + bool(own_format) > 1:
        raise UserFault(
            "--json、--csv、--spreadsheet 与 FORMAT 只能选一个 give either --json or --csv or --spreadsheet or FORMAT"
        )
    if own_format and sys.stdout.isatty() and not own_format[1].startswith(_TEXT_FORMATS):
        raise UserFault(
            f"{own_format[1]} 不是文本，请写入文件 is not text, write it to a file: gridstream sql … > FILE"
        )
    with settings().client(user, **_READ_ONLY) as client:
        if csv:
            _copy(client, text, "CSVWithNames")
        elif own_format:
            _copy(client, text, None)
        elif sheet:
            names, _, rows = _fetch(client, text, None)
            _write(csv_lines([names, *([_sheet_cell(value) for value in row] for row in rows)]))
        elif as_json:
            names, types, rows = _fetch(client, text, None)
            columns = [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]
            emit({"columns": columns, "rows": [dict(zip(names, row, strict=True)) for row in rows]}, True, lambda: "")
        else:
            emit(None, False, lambda: _render_table(*_fetch(client, text, _MOST_ROWS + 1)))


def _query(query: str | None, file: Path | None) -> str:
    if (query is None) == (file is None):
        raise UserFault(
            "请给查询语句或 --file give a query or --file, such as: gridstream sql 'SELECT count() FROM reports'"
        )
    try:
        text = query if file is None else sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserFault(f"无法读取 cannot read {file}: {error}") from None
    text = (text or "").strip().rstrip(";").strip()
    if not text:
        raise UserFault("查询为空 the query is empty")
    return text


def _fetch(client: Client, text: str, limit: int | None) -> tuple[list[str], list[str], list[tuple[Any, ...]]]:
    with client.query_rows_stream(text, tz_mode="aware") as stream:
        source = stream.source
        return list(source.column_names), [kind.name for kind in source.column_types], list(islice(stream, limit))


def _copy(client: Client, text: str, form: str | None) -> None:
    answer: Any = client.raw_stream(text, fmt=form)
    with closing(answer) as stream:
        sys.stdout.flush()
        shutil.copyfileobj(stream, sys.stdout.buffer)


def _write(lines: Iterable[bytes]) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.writelines(lines)


def _sheet_cell(value: Any) -> Any:
    return moment(value) if isinstance(value, datetime) else value


def _render_table(names: list[str], types: list[str], rows: list[tuple[Any, ...]]) -> RenderableType:
    columns = [Column(name, right=_is_number(kind)) for name, kind in zip(names, types, strict=True)]
    cells = table("", columns, ([_cell(value) for value in row] for row in rows[:_MOST_ROWS]))
    most = number(_MOST_ROWS)
    if len(rows) > _MOST_ROWS:
        return Group(cells, f"只显示前 {most} 行 first {most} rows only; --csv 或 or --json 输出全部 print all")
    return Group(cells, f"{number(len(rows))} 行 rows")


def _is_number(kind: str) -> bool:
    bare = kind.removeprefix("LowCardinality(").removeprefix("Nullable(")
    return bare.startswith(("UInt", "Int", "Float", "Decimal", "BFloat"))


def _cell(value: Any) -> str:
    """The value as the database shows it: without grouping of digits, which would change years and codes."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return "-" if value is None else str(value)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sql)

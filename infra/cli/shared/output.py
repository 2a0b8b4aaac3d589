"""What every command shares: printing for people or as JSON, figures, times, faults, progress.

People read Chinese first and English second; times are Asia/Shanghai and say their offset.
Documents go to stdout, everything else (faults, progress) to stderr, so that a pipe stays clean.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from clickhouse_connect.driver.exceptions import DatabaseError
from kafka.errors import KafkaError
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pipelines.clock import SHANGHAI
from pipelines.errors import GridstreamError, PositionFault
from pipelines.services.clickhouse import ErrorCode

EXIT_HOLDS, EXIT_FAILS, EXIT_USER = 0, 1, 2
_TAIL = re.compile(r"(\s*\((version|for url) [^)]*(\([^)]*\))?\))+$")
_PIPE_WIDTH = 160  # rich takes 80 columns for a pipe, too few for two languages side by side

AsJson = Annotated[bool, typer.Option("--json", help="输出一个 JSON 文档 print one JSON document")]


def _console(stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(stderr=stderr, width=fixed, highlight=False, soft_wrap=False)


console = _console(stderr=False)
errors = _console(stderr=True)


def emit(document: Any, as_json: bool, render: Callable[[], RenderableType]) -> None:
    """Prints `document` as JSON, or what `render()` makes of it for people (`rich.console.Group` for several).

    `document` may hold dataclasses, msgspec Structs, datetimes, UUIDs, Decimals and numpy scalars.
    """
    if as_json:
        sys.stdout.write(to_json(document) + "\n")
    else:
        console.print(render())


def to_json(document: Any) -> str:
    """`document` as indented JSON; Chinese stays Chinese, NaN becomes null."""
    return msgspec.json.format(msgspec.json.encode(document, enc_hook=_plain), indent=2).decode()


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)  # numpy scalars and arrays


@dataclass(frozen=True)
class Column:
    """A table column: its name in both languages; figures stand on the right."""

    zh: str
    en: str = ""
    right: bool = False


def table(title: str, columns: Iterable[Column], rows: Iterable[Iterable[Any]]) -> Table:
    """A table; cells that are no text, number or time are shown by `str`. Markup in cells is not read."""
    result = Table(title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        header = f"{column.zh}\n{column.en}" if column.en else column.zh
        result.add_column(Text(header), justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        result.add_row(*(value if isinstance(value, Text) else Text(cell(value)) for value in row))
    return result


def cell(value: Any) -> str:
    """One value for people: whole numbers grouped, times in Shanghai, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return moment(value) if isinstance(value, datetime) else str(value)


def number(value: int | float) -> str:
    """1234567 -> 1,234,567."""
    return f"{value:,.0f}"


def percent(part: float | None) -> str:
    """A share of 0..1 as 97.3 %; unknown as a dash."""
    return "-" if part is None or part != part else f"{part * 100:.1f} %"


def moment(value: datetime | None) -> str:
    """2026-11-24 16:30:00 +08:00; naive times are taken as UTC."""
    if value is None:
        return "-"
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(SHANGHAI).isoformat(sep=" ", timespec="seconds").replace("+08:00", " +08:00")


def seconds(value: float) -> str:
    """A length of time: 0.42 s, 12 s, 3 min 05 s, 2 h 07 min."""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def faults_as_lines() -> Iterator[None]:
    """Ends the process with one clear line on stderr where something failed on purpose.

    Exit code 2: the person's mistake, or a service that is down. Exit code 1: a position fault,
    which is a finding about the data.
    """
    try:
        yield
    except GridstreamError as error:
        fail(str(error), EXIT_FAILS if isinstance(error, PositionFault) else EXIT_USER)
    except DatabaseError as error:
        fail(clickhouse_line(error))
    except KafkaError as error:
        fail(f"Kafka: {error}")
    except KeyboardInterrupt:
        fail("已中断 interrupted", 130)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_HOLDS) from None


def clickhouse_line(error: DatabaseError) -> str:
    """A server's fault in one line: code, name and the first line of its message, without version and address."""
    said = str(error).partition("DB::Exception:")[2] or str(error)
    first = next(iter(said.strip().splitlines()), "")
    message = _TAIL.sub("", first).removesuffix(f" ({error.name})")
    if error.code == ErrorCode.UNKNOWN_TABLE:
        message = f"{message.rstrip('.')} (a new database? `gridstream migrate` makes the tables)"
    known = " ".join(str(part) for part in (error.code, error.name) if part is not None)
    return f"ClickHouse {known}: {message}" if known else f"ClickHouse: {message}"


def fail(line: str, code: int = EXIT_USER) -> NoReturn:
    """Prints `line` on stderr and ends the process with `code`."""
    errors.print(Text.assemble(("错误 error: ", "bold red"), line), soft_wrap=True)
    raise SystemExit(code) from None


@contextmanager
def progress(label: str, total: int | None, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; yields `advance(steps)`. Silent with `quiet` or away from a terminal."""
    shown = not quiet and console.is_terminal and errors.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not shown, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)

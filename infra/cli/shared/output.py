"""Output of all commands: for people or as JSON, with figures, times, faults and progress.

Texts for people are Chinese first, then English; times are in Asia/Shanghai, with their offset.
Documents go to stdout, everything else (faults, progress) to stderr, so that a pipe gets documents
only.
"""

import json
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
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipelines.clock import SHANGHAI
from pipelines.errors import GridstreamError, PositionFault
from pipelines.services.clickhouse import ErrorCode

EXIT_HOLDS, EXIT_FAILS, EXIT_USER = 0, 1, 2
_TAIL = re.compile(r"(\s*\((version|for url) [^)]*(\([^)]*\))?\))+$")
_PIPE_WIDTH = 160  # rich assumes 80 columns for a pipe, too few for tables in two languages

AsJson = Annotated[bool, typer.Option("--json", help="输出一个 JSON 文档 print one JSON document")]

_UNLIMITED = 10_000  # columns
_BORDER = 3  # columns that the frame and padding of a table's column take

_UNESCAPED = re.compile(r"[\x7f-\x9f]")  # control characters that JSON allows in strings

# ANSI sequences (CSI, OSC), then all control characters (C0, DEL, C1) but tab and line feed.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def printable(text: str) -> str:
    """`text` without the characters that a terminal would execute; texts of citizens and logs may hold some."""
    return _CONTROL.sub("", text)


class _SafeConsole(Console):
    """Prints the control characters of rich's own styles only."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def _console(stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return _SafeConsole(stderr=stderr, width=fixed, highlight=False, soft_wrap=False)


console = _console(stderr=False)
errors = _console(stderr=True)


def emit(document: Any, as_json: bool, render: Callable[[], RenderableType]) -> None:
    """Print `document` as JSON, or for people what `render()` returns (`rich.console.Group` for several).

    `document` may hold dataclasses, msgspec Structs, datetimes, UUIDs, Decimals and numpy scalars.
    """
    if as_json:
        text = to_json(document)
        try:
            text.encode(sys.stdout.encoding)
        except UnicodeEncodeError:  # an ASCII pipe: escaped, no character is lost
            text = json.dumps(json.loads(text), indent=2)
        sys.stdout.write(text + "\n")
    else:
        console.print(render())


def to_json(document: Any) -> str:
    """`document` as indented JSON. Chinese is not escaped, control characters are; NaN becomes null."""
    text = msgspec.json.format(msgspec.json.encode(document, enc_hook=_plain), indent=2).decode()
    return _UNESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)  # numpy scalars and arrays


@dataclass(frozen=True)
class Column:
    """A table column: its name in both languages; `right` aligns figures.

    rank: columns with a rank are left out of a table that is wider than the terminal, the highest rank first.
    """

    zh: str
    en: str = ""
    right: bool = False
    rank: int = 0

    def width(self, cells: Iterable[Text]) -> int:
        """Columns of the terminal that it takes without breaking a cell or a word of its name, border included."""
        words = (self.zh, *self.en.split())
        return _BORDER + max(*map(cell_len, words), *(entry.cell_len for entry in cells), 0)


def table(title: str, columns: Iterable[Column], rows: Iterable[Iterable[Any]]) -> Table:
    """A table with `cell(value)` for each value that is not a `Text`. Markup in cells is not interpreted.

    Columns with a rank are left out, and named below, until each row fits on a line of the terminal.
    """
    result = Table(title=title or None, title_justify="left", title_style="bold", caption_justify="left")
    entries = [[value if isinstance(value, Text) else Text(printable(cell(value))) for value in row] for row in rows]
    wanted = list(enumerate(columns))
    widths = {at: column.width(row[at] for row in entries) for at, column in wanted}
    kept = list(wanted)
    while 1 + sum(widths[at] for at, _ in kept) > console.width and any(column.rank for _, column in kept):
        kept.remove(max(kept, key=lambda numbered: numbered[1].rank))
    for _, column in kept:
        header = f"{column.zh}\n{column.en}" if column.en else column.zh
        result.add_column(Text(header), justify="right" if column.right else "left", overflow="fold")
    for row in entries:
        result.add_row(*(row[at] for at, _ in kept))
    unbroken = Measurement.get(console, console.options.update(max_width=_UNLIMITED), result).maximum
    if 1 + sum(widths[at] for at, _ in kept) <= console.width < unbroken:
        for (at, _), column_shown in zip(kept, result.columns, strict=True):
            column_shown.width = widths[at] - _BORDER  # only names of columns are broken
    if left_out := [f"{column.zh} {column.en}" for at, column in wanted if (at, column) not in kept]:
        result.caption = f"终端较窄，未列 not shown at this width (see --json): {', '.join(left_out)}"
    return result


def cell(value: Any) -> str:
    """One value for people: integers with separators, times in Asia/Shanghai, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        value += 0.0  # -0.0 becomes 0.0
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return moment(value) if isinstance(value, datetime) else str(value)


def number(value: int | float) -> str:
    """1234567 -> 1,234,567."""
    return f"{value:,.0f}"


def percent(part: float | None) -> str:
    """A share from 0 to 1 as 97.3 %; None and NaN as a dash."""
    return "-" if part is None or part != part else f"{part * 100:.1f} %"


def moment(value: datetime | None) -> str:
    """2026-11-24 16:30:00 +08:00; naive datetimes are taken as UTC."""
    if value is None:
        return "-"
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(SHANGHAI).isoformat(sep=" ", timespec="seconds").replace("+08:00", " +08:00")


def seconds(value: float) -> str:
    """A duration: 0.42 s, 12 s, 3 min 05 s, 2 h 07 min."""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def faults_as_lines() -> Iterator[None]:
    """Turn the typed faults and the errors of services into one line on stderr and an exit code.

    Exit code 2: a user's mistake, or a service that is down. Exit code 1: a position fault, which
    is a finding about the data.
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
    except BrokenPipeError:  # the reader of the pipe has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_HOLDS) from None


def clickhouse_line(error: DatabaseError) -> str:
    """A server's error in one line: code, name and the first line of its message, without version and address."""
    text = str(error).partition("DB::Exception:")[2] or str(error)
    first = next(iter(text.strip().splitlines()), "")
    message = _TAIL.sub("", first).removesuffix(f" ({error.name})")
    if error.code == ErrorCode.UNKNOWN_TABLE:
        message = f"{message.rstrip('.')} (a new database? `gridstream migrate` makes the tables)"
    known = " ".join(str(part) for part in (error.code, error.name) if part is not None)
    return f"ClickHouse {known}: {message}" if known else f"ClickHouse: {message}"


def fail(line: str, code: int = EXIT_USER) -> NoReturn:
    """Print `line` on stderr and end the process with `code`."""
    errors.print(Text.assemble(("错误 error: ", "bold red"), line), soft_wrap=True)
    raise SystemExit(code) from None


@contextmanager
def progress(label: str, total: int | None, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; yields `advance(steps)`. Prints nothing with `quiet` or without a terminal."""
    shown = not quiet and console.is_terminal and errors.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not shown, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)

"""CSV files: reading them so that no row is lost, and the times in their cells.

A file in which the limits of a row are in doubt is refused with the line number before anything is sent.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TextIO

from pipelines.errors import UserFault

Record = dict[str, str]

# Year first: ISO 8601, and what spreadsheets write (2018/7/4 17:24, 2018年7月4日 17:24). Day or month first is
# ambiguous and is not read.
_TIME = re.compile(
    r"(?P<year>\d{4})(?:[-/.]|年)(?P<month>\d{1,2})(?:[-/.]|月)(?P<day>\d{1,2})日?"
    r"[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d{1,9})?))?"
    r" ?(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)


def read_time(column: str, written: str, zone: tzinfo | None = None) -> datetime:
    """The time in a cell; `zone` applies to a time without an offset.

    Raises:
        UserFault: not a time that begins with its year, or a time without an offset if there is no `zone`.
    """
    match = _TIME.fullmatch(written.strip())
    try:
        if not match:
            raise ValueError
        year, month, day, hour, minute = (int(match[name]) for name in ("year", "month", "day", "hour", "minute"))
        second, _, fraction = (match["second"] or "00").partition(".")
        text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second}.{fraction or '0'}{match['offset'] or ''}"
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UserFault(f"{column} 不是可识别的时间 is not a time, year first: {written!r}") from None
    if time.tzinfo is None and zone is None:
        raise UserFault(f"{column} 没有时区偏移 has no offset: {written!r}")
    return time if time.tzinfo else time.replace(tzinfo=zone)


@dataclass(frozen=True)
class CsvFile:
    """A checked CSV file: UTF-8 (a BOM is allowed), a header, and rows whose limits are clear."""

    path: Path
    header: tuple[str, ...]
    rows: int

    def records(self) -> Iterator[tuple[int, Record | str]]:
        """Each data row by number: its fields, or the error in its shape."""
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            next(reader)
            for number, values in enumerate((row for row in reader if row), start=1):
                if len(values) == len(self.header):
                    yield number, dict(zip(self.header, values, strict=True))
                else:
                    yield number, f"{len(self.header)} 列，此行 {len(values)} 列 {len(values)} fields in this row"


def open_csv(path: Path, columns: tuple[str, ...]) -> CsvFile:
    """Reads the whole file once, so that an error in it is reported before anything is sent.

    Raises:
        UserFault: missing, unreadable, empty, not UTF-8, not CSV, a quote that is not closed, or without one of
            `columns`. Errors inside the file are reported with the line.
    """
    if not path.is_file():
        raise UserFault(f"没有这个文件 no such file: {path}")
    with _readable(path) as stream:
        rows = _checked_rows(path, stream)
        header = tuple(next(rows, ()))
        count = sum(1 for _ in rows)
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserFault(f"{path}: 缺少列 columns missing: {', '.join(missing)}")
    twice = sorted(name for name, times in Counter(header).items() if times > 1)
    if twice:
        raise UserFault(f"{path}: 列名重复 columns named twice: {', '.join(twice)}")
    return CsvFile(path, header, count)


@contextmanager
def _readable(path: Path) -> Iterator[TextIO]:
    """The opened file; errors of reading and of the encoding become UserFault."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except OSError as error:
        raise UserFault(f"{path}: 无法读取 cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserFault(
            f"{path}: 不是 UTF-8 编码 not UTF-8 at byte {error.start}; convert it, e.g. from GB18030"
        ) from error


def _checked_rows(path: Path, stream: TextIO) -> Iterator[list[str]]:
    """All rows that are not blank, the header first.

    A quote that is not closed makes one field of all lines up to the next quote. The parser reports most cases
    (text after a closing quote, end of file inside quotes). In the others the row keeps its number of fields, and
    the swallowed lines are visible only as lines that are rows by themselves: two of them refuse the file.
    """
    lines: list[str] = []

    def recorded() -> Iterator[str]:
        for line in stream:
            lines.append(line)
            yield line

    reader = csv.reader(recorded(), strict=True)
    width, first_line = 0, 1
    while True:
        lines.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UserFault(
                f"{path}: 第 {first_line} 行起不是有效的 CSV（引号未闭合？） "
                f"not CSV from line {first_line} on, a quote that is not closed? {error}"
            ) from error
        if row is None:
            return
        width = width or len(row)
        if len(lines) > 1 and width > 1 and sum(line.count(",") >= width - 1 for line in lines) > 1:
            raise UserFault(
                f"{path}: 第 {first_line} 行的引号未闭合，吞掉了后面的行 "
                f"a quote in line {first_line} is not closed and swallows the lines after it"
            )
        first_line = reader.line_num + 1
        if row:
            yield row

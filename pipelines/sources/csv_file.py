"""What every source that is a CSV file has in common.

A new file source is a subclass of `CsvSource` (columns, a `convert` method, titles of its findings), a crosswalk
(`schemas/crosswalks/<name>.yaml`) and a line in `pipelines/sources/catalogue.py`.

No row is lost. A row becomes a message or a problem with its number; a file in which the limits of a row are in
doubt is refused with the line number before anything is sent.
"""

import csv
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import ClassVar, TextIO

import msgspec

from pipelines.errors import UserFault
from pipelines.sources.export_times import ExportTimes
from pipelines.sources.source import FileFinding, Mapped, Message, Notes, stable_uuid
from schemas.crosswalks import crosswalk, source_type_of
from schemas.event_types import OTHER, EventType, event_type
from schemas.registry import grids_by_source

Record = dict[str, str]
UNKNOWN_GRID = "000000000000"  # the stream rejects it, so that the row is kept in quarantine

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


class CsvSource(ABC):
    """The rows of a CSV file as messages: the last known state of each report.

    Rows without an area of the registry are sent with `UNKNOWN_GRID`: the stream keeps them in quarantine.
    Raises UserFault as `open_csv` does, when it is opened.
    """

    name: ClassVar[str]
    zh: ClassVar[str]
    en: ClassVar[str]
    city: ClassVar[str]  # code in the registry
    columns: ClassVar[tuple[str, ...]]  # the file may hold others
    id_column: ClassVar[str]  # names the report
    time_columns: ClassVar[tuple[str, ...]] = ()  # of times that were past at the export
    zone: ClassVar[tzinfo | None] = None  # of times without an offset; None refuses them
    titles: ClassVar[Mapping[str, tuple[str, str]]]  # name by id of a finding, `unknown_area` among them

    def __init__(self, path: Path, exported_at: datetime | None = None) -> None:
        self.file = open_csv(path, self.columns)
        self.times = ExportTimes(exported_at)
        self.notes = Notes(self.titles)
        self._crosswalk = crosswalk(self.name)
        self._grids = grids_by_source(self.city)

    @property
    def rows(self) -> int:
        """The number of data rows."""
        return self.file.rows

    def findings(self) -> tuple[FileFinding, ...]:
        return self.notes.findings()

    def messages(self) -> Iterator[Mapped]:
        """Each data row as a message, or as the problem that prevents it. To be iterated once."""
        self._read_times()
        for number, record in self.file.records():
            try:
                message = self._message(record)
            except UserFault as problem:
                yield Mapped(number, None, str(problem))
                continue
            category = message["source_type"]
            yield Mapped(number, message, category="" if self._crosswalk.knows(category) else category)

    @abstractmethod
    def convert(self, record: Record) -> Message:
        """The fields of a row's message, times as ISO 8601; None is left out. Without version and event_id.

        Raises:
            UserFault: the row cannot be a message.
        """

    def time(self, record: Record, column: str) -> datetime:
        """The time in a cell. Raises UserFault as `read_time` does."""
        return read_time(column, record[column], self.zone)

    def category(self, main: str, sub: str = "") -> tuple[str, EventType]:
        """The source_type of a category, and the event type that the crosswalk gives it."""
        source_type = source_type_of(self.name, main, sub)
        return source_type, event_type(self._crosswalk.map(source_type) or OTHER)

    def grid_code(self, area: str, example: str) -> str:
        """The grid that the source calls `area`; `example` describes the row for the finding `unknown_area`."""
        grid = self._grids.get(area)
        if grid is None:
            self.notes.add("unknown_area", example)
        return grid.grid_code if grid else UNKNOWN_GRID

    def _read_times(self) -> None:
        for _, record in self.file.records() if self.time_columns else ():
            if isinstance(record, dict):
                self.times.add(record[self.id_column], self._readable_times(record))

    def _readable_times(self, record: Record) -> Iterator[datetime]:
        for column in self.time_columns:
            with suppress(UserFault):
                yield self.time(record, column)

    def _message(self, record: Record | str) -> Message:
        """The row's message. The event_id covers its content, so a file that is read twice sends the same messages."""
        if isinstance(record, str):
            raise UserFault(record)
        self.times.begin(record[self.id_column])
        fields = {"schema_version": 1, **self.convert(record)}
        message = {name: value for name, value in fields.items() if value is not None}
        self.times.end(record[self.id_column], datetime.fromisoformat(message["updated_at"]))
        content = msgspec.json.encode(message, order="sorted").decode()
        return message | {"event_id": stable_uuid(self.name, content)}

"""What every source that is a CSV file has in common.

A new file source is a subclass of `CsvSource` (columns, a `convert` method, titles of its findings), a crosswalk
(`schemas/crosswalks/<name>.yaml`) and a line in `pipelines/sources/catalogue.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import ClassVar

import msgspec

from pipelines.errors import UserFault
from pipelines.sources.csv_file import Record, open_csv, read_time
from pipelines.sources.export_times import ExportTimes
from pipelines.sources.source import FileFinding, Mapped, Message, Notes, stable_uuid
from schemas.crosswalks import crosswalk, source_type_of
from schemas.event_types import OTHER, EventType, event_type
from schemas.registry import grids_by_source

UNKNOWN_GRID = "000000000000"  # the stream rejects it, so that the row is kept in quarantine


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
        for _, record in self.file.records() if self.time_columns else ():
            if isinstance(record, dict):
                self.times.add(record[self.id_column], self._past_times(record))
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

    def _past_times(self, record: Record) -> Iterator[datetime]:
        for column in self.time_columns:
            with suppress(UserFault):
                yield self.time(record, column)

    def _message(self, record: Record | str) -> Message:
        """The row's message. The event_id covers its content, so a file that is read twice sends the same messages."""
        if isinstance(record, str):
            raise UserFault(record)
        if not record[self.id_column].strip():
            raise UserFault(f"缺少 {self.id_column} is missing")
        self.times.begin(record[self.id_column])
        try:
            fields = {"schema_version": 1, **self.convert(record)}
        except OverflowError:
            raise UserFault("时间超出范围 a time is out of range") from None
        message = {name: value for name, value in fields.items() if value is not None}
        self.times.end(record[self.id_column], datetime.fromisoformat(message["updated_at"]))
        content = msgspec.json.encode(message, order="sorted").decode()
        return message | {"event_id": stable_uuid(self.name, content)}

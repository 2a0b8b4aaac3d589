"""Pingshan district, Shenzhen: the citizen-demand events of 2018 (CSV, 26 columns, no free text).

What the file lacks is not invented: the text is made of its category and community names, and since it
has no closing time, only whether closing was in time, `updated_at` is the bound that this allows.
"""

import html
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.clock import SHANGHAI
from pipelines.errors import UserFault
from pipelines.sources.source import CsvFile, FileFinding, Mapped, Message, Notes, mapped_rows, open_csv, stable_uuid
from schemas.crosswalks import crosswalk, source_type_of
from schemas.event_types import EventType, event_type
from schemas.registry import grids_by_source

CITY = "440310"
UNKNOWN_GRID = "000000000000"  # for the stream to reject: the row then stands in quarantine, not in a log
COLUMNS = (
    "REC_ID", "CREATE_TIME", "EVENT_SRC_ID", "EVENT_SRC_NAME", "EVENT_PROPERTY_NAME", "EVENT_TYPE_ID",
    "EVENT_TYPE_NAME", "MAIN_TYPE_ID", "MAIN_TYPE_NAME", "SUB_TYPE_ID", "SUB_TYPE_NAME", "STREET_ID", "STREET_NAME",
    "COMMUNITY_ID", "COMMUNITY_NAME", "DISPOSE_UNIT_ID", "DISPOSE_UNIT_NAME", "INTIME_ARCHIVE_NUM",
    "OVERTIME_ARCHIVE_NUM",
)  # fmt: skip
# The district's own app, the city's WeChat service, two hotlines, the government mailbox, the telephone.
SOURCES = {"@坪山": "grid_app", "美丽深圳": "wechat", "12345": "hotline", "12319": "hotline",
           "政府信箱": "forum", "固话投诉": "hotline"}  # fmt: skip
_NAMED = ("EVENT_TYPE", "MAIN_TYPE", "SUB_TYPE", "STREET", "COMMUNITY", "DISPOSE_UNIT", "EVENT_SRC")
_MISSING = "-"
_TITLES = {
    "sentinel": ("以 - 代替缺失值的单元格", "Cells that hold - for a missing value"),
    "two_names": ("有两个及以上名称的编号", "Ids with two names or more"),
    "backward_time": ("时间早于上一行", "Rows earlier than the row before"),
    "unknown_area": ("社区缺失或不在名录", "Community missing or not in the registry"),
    "escaped_name": ("名称含 HTML 转义", "Names with HTML escapes, unescaped"),
}


def open_pingshan(path: Path) -> "Pingshan":
    """Opens the export. Raises UserFault as `open_csv` does."""
    return Pingshan(open_csv(path, COLUMNS))


@dataclass
class Pingshan:
    """The rows of one export file as messages."""

    file: CsvFile

    def __post_init__(self) -> None:
        self._notes = Notes(_TITLES)
        self._names: dict[str, set[str]] = defaultdict(set)
        self._grids = grids_by_source(CITY)
        self._crosswalk = crosswalk("pingshan")
        self._before = ""

    @property
    def rows(self) -> int:
        return self.file.rows

    def findings(self) -> tuple[FileFinding, ...]:
        return self._notes.found()

    def messages(self) -> Iterator[Mapped]:
        return mapped_rows(self.file, self._looked_at, self._crosswalk.knows)

    def _looked_at(self, record: dict[str, str]) -> Message:
        self._look(record)
        return self._message(record)

    def _message(self, record: dict[str, str]) -> Message:
        reported = _moment(record["CREATE_TIME"])
        main, sub = (html.unescape(record[f"{level}_TYPE_NAME"]).strip() for level in ("MAIN", "SUB"))
        source_type = source_type_of("pingshan", main, sub)
        kind = event_type(self._crosswalk.map(source_type) or 999)
        source = SOURCES.get(record["EVENT_SRC_NAME"])
        if source is None:
            raise UserFault(f"unknown channel EVENT_SRC_NAME {record['EVENT_SRC_NAME']!r}")
        return {
            "schema_version": 1,
            "event_id": stable_uuid(
                "pingshan", record["REC_ID"], record["INTIME_ARCHIVE_NUM"], record["OVERTIME_ARCHIVE_NUM"]
            ),
            "report_id": f"pingshan-{record['REC_ID']}",
            "reported_at": reported.isoformat(),
            "grid_code": self._grid(record),
            "source": source,
            "source_type": source_type,
            "text": _text(record, main, sub),
            "severity": kind.severity,
            "handler": record["DISPOSE_UNIT_ID"],
            **_course(record, reported, kind),
        }

    def _grid(self, record: dict[str, str]) -> str:
        found = self._grids.get(record["COMMUNITY_ID"])
        if found:
            return found.grid_code
        self._notes.add("unknown_area", f"REC_ID {record['REC_ID']}")
        return UNKNOWN_GRID

    def _look(self, record: dict[str, str]) -> None:
        """Notes what is odd about a row, without judging it."""
        for column, value in record.items():
            if value == _MISSING:
                self._notes.add("sentinel", f"REC_ID {record['REC_ID']}: {column}", column)
        for column in _NAMED:
            self._look_at_name(record, f"{column}_ID", record[f"{column}_NAME"])
        if record["CREATE_TIME"] < self._before:
            self._notes.add("backward_time", f"REC_ID {record['REC_ID']}: {record['CREATE_TIME']} < {self._before}")
        self._before = record["CREATE_TIME"]

    def _look_at_name(self, record: dict[str, str], column: str, name: str) -> None:
        """An id counts once, with its second name; a missing name is none."""
        if "&#" in name:
            self._notes.add("escaped_name", f"REC_ID {record['REC_ID']}: {name}")
        known = self._names[f"{column} {record[column]}"]
        if name == _MISSING or name in known:
            return
        if len(known) == 1:
            self._notes.add("two_names", f"{column} {record[column]}: {next(iter(known))} / {name}", column)
        known.add(name)


def _moment(written: str) -> datetime:
    try:
        return datetime.strptime(written, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise UserFault(f"CREATE_TIME is not a time: {written!r}") from error


def _text(record: dict[str, str], main: str, sub: str) -> str:
    """Category and place, as far as the file names them: 坪山街道六联社区 公用部件 下水井盖（投诉）."""
    place = "".join(name for name in (record["STREET_NAME"], record["COMMUNITY_NAME"]) if name != _MISSING)
    words = " ".join(dict.fromkeys(word for word in (place, record["EVENT_TYPE_NAME"], main, sub) if word))
    wish = record["EVENT_PROPERTY_NAME"]
    return words if wish == _MISSING else f"{words}（{wish}）"


def _course(record: dict[str, str], reported: datetime, kind: EventType) -> dict[str, Any]:
    """Status and times. Closed in time: at the latest moment that is in time. Closed late: one second
    after it. Not closed: accepted on arrival. The limit is the type's; the file has none of its own."""
    due = reported + timedelta(hours=kind.limit_hours)
    in_time, late = record["INTIME_ARCHIVE_NUM"] == "1", record["OVERTIME_ARCHIVE_NUM"] == "1"
    if not in_time and not late:
        return {"status": "accepted", "updated_at": reported.isoformat(), "due_at": due.isoformat()}
    closed = due if in_time else due + timedelta(seconds=1)
    times = {"updated_at": closed.isoformat(), "due_at": due.isoformat()}
    return {"status": "closed", **times, "closing_time": "bound"}

"""Pingshan district, Shenzhen: the citizen-demand events of 2018 (CSV, 26 columns, no free text).

The adapter does not invent what the file lacks: the text consists of category and community names. The file has no
closing time, only whether closing was in time, so `updated_at` is the bound that follows from it.
"""

import html
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.clock import SHANGHAI
from pipelines.errors import UserFault
from pipelines.sources.csv_file import Record
from pipelines.sources.csv_source import CsvSource
from pipelines.sources.source import Message
from schemas.event_types import EventType

# The app of the district, the WeChat service of the city, two hotlines, the mailbox of the government, the telephone.
CHANNELS = {
    "@坪山": "grid_app",
    "美丽深圳": "wechat",
    "12345": "hotline",
    "12319": "hotline",
    "政府信箱": "forum",
    "固话投诉": "hotline",
}
_NAMED = ("EVENT_TYPE", "MAIN_TYPE", "SUB_TYPE", "STREET", "COMMUNITY", "DISPOSE_UNIT", "EVENT_SRC")
_MISSING = "-"


class Pingshan(CsvSource):
    """The rows of one export file as messages."""

    name = "pingshan"
    zh, en = "深圳坪山民生诉求 2018", "Pingshan citizen demands, 2018"
    city = "440310"
    columns = (
        "REC_ID", "CREATE_TIME", "EVENT_SRC_ID", "EVENT_SRC_NAME", "EVENT_PROPERTY_NAME", "EVENT_TYPE_ID",
        "EVENT_TYPE_NAME", "MAIN_TYPE_ID", "MAIN_TYPE_NAME", "SUB_TYPE_ID", "SUB_TYPE_NAME", "STREET_ID",
        "STREET_NAME", "COMMUNITY_ID", "COMMUNITY_NAME", "DISPOSE_UNIT_ID", "DISPOSE_UNIT_NAME",
        "INTIME_ARCHIVE_NUM", "OVERTIME_ARCHIVE_NUM",
    )  # fmt: skip
    id_column = "REC_ID"
    zone = SHANGHAI
    titles = {
        "sentinel": ("以 - 代替缺失值的单元格", "Cells that hold - for a missing value"),
        "two_names": ("有两个及以上名称的编号", "Ids with two names or more"),
        "backward_time": ("时间早于上一行", "Rows earlier than the row before"),
        "unknown_area": ("社区缺失或不在名录", "Community missing or not in the registry"),
        "escaped_name": ("名称含 HTML 转义", "Names with HTML escapes, unescaped"),
    }

    def __init__(self, path: Path, exported_at: datetime | None = None) -> None:
        super().__init__(path, exported_at)
        self._names: dict[str, set[str]] = defaultdict(set)
        self._previous: datetime | None = None

    def convert(self, record: Record) -> Message:
        self._note_cells(record)
        reported = self.time(record, "CREATE_TIME")
        self._note_order(record, reported)
        channel = CHANNELS.get(record["EVENT_SRC_NAME"])
        if channel is None:
            raise UserFault(f"未知的渠道 unknown channel EVENT_SRC_NAME {record['EVENT_SRC_NAME']!r}")
        main, sub = (html.unescape(record[f"{level}_TYPE_NAME"]).strip() for level in ("MAIN", "SUB"))
        source_type, kind = self.category(main, sub)
        return {
            "report_id": f"pingshan-{record['REC_ID']}",
            "reported_at": reported.isoformat(),
            "grid_code": self.grid_code(record["COMMUNITY_ID"], f"REC_ID {record['REC_ID']}"),
            "source": channel,
            "source_type": source_type,
            "text": _text(record, main, sub),
            "severity": kind.severity,
            "handler": record["DISPOSE_UNIT_ID"],
            **_course(record, reported, kind),
        }

    def _note_cells(self, record: Record) -> None:
        for column, value in record.items():
            if value == _MISSING:
                self.notes.add("sentinel", f"REC_ID {record['REC_ID']}: {column}", column)
        for column in _NAMED:
            self._note_name(record, f"{column}_ID", record[f"{column}_NAME"])

    def _note_name(self, record: Record, column: str, name: str) -> None:
        """An id with several names counts once, with its second name. A missing name does not count."""
        if "&#" in name:
            self.notes.add("escaped_name", f"REC_ID {record['REC_ID']}: {name}")
        known = self._names[f"{column} {record[column]}"]
        if name == _MISSING or name in known:
            return
        if len(known) == 1:
            self.notes.add("two_names", f"{column} {record[column]}: {next(iter(known))} / {name}", column)
        known.add(name)

    def _note_order(self, record: Record, reported: datetime) -> None:
        if self._previous and reported < self._previous:
            self.notes.add("backward_time", f"REC_ID {record['REC_ID']}: {reported} < {self._previous}")
        self._previous = reported


def _text(record: Record, main: str, sub: str) -> str:
    """Category and place, as far as the file names them: 坪山街道六联社区 公用部件 下水井盖（投诉）."""
    place = "".join(name for name in (record["STREET_NAME"], record["COMMUNITY_NAME"]) if name != _MISSING)
    words = " ".join(dict.fromkeys(filter(None, (place, record["EVENT_TYPE_NAME"], main, sub))))
    demand = record["EVENT_PROPERTY_NAME"]
    return words if demand == _MISSING else f"{words}（{demand}）"


def _course(record: Record, reported: datetime, kind: EventType) -> dict[str, Any]:
    """Status and times. The limit is that of the type; the file has none of its own.

    Closed in time: at the latest time that is in time. Closed late: one second after it. Not closed: accepted on
    arrival.
    """
    due = reported + timedelta(hours=kind.limit_hours)
    in_time, late = record["INTIME_ARCHIVE_NUM"] == "1", record["OVERTIME_ARCHIVE_NUM"] == "1"
    if not in_time and not late:
        return {"status": "accepted", "updated_at": reported.isoformat(), "due_at": due.isoformat()}
    closed = due if in_time else due + timedelta(seconds=1)
    times = {"updated_at": closed.isoformat(), "due_at": due.isoformat()}
    return {"status": "closed", **times, "closing_time": "bound"}

"""The review queue as a CSV file for clerks, and the decisions that they fill in.

`event_type` is the column to fill in. Texts and other fields are the stored, masked ones.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault
from pipelines.spreadsheet import csv_lines, rearm
from schemas.event_types import known_codes

COLUMNS = {
    "report_id": "report_id",
    "event_type": "event_type 类型（请填代码）",
    "text": "text 内容",
    "best": "best guesses 模型的前三",
    "confidence": "confidence 置信度",
    "alike": "alike 相同来文数",
    "reported_at": "reported_at 上报时间",
    "grid_code": "grid_code 网格",
    "source": "source 来源",
    "status": "status 状态",
}
_QUEUE = """
SELECT report_id, text, confidence, alternatives, alternatives_zh, alternative_confidence, alike,
    reported_at, grid_code, source, status, model_version
FROM review_queue
ORDER BY confidence, reported_at, report_id
LIMIT {limit:UInt32}"""


class Decision(NamedTuple):
    """A type that a clerk filled in. `line`: the row number in the spreadsheet; the header is row
    1, and line feeds in a cell do not count. `source`: of the report, empty when the sheet does not name it."""

    line: int
    report_id: str
    event_type: int
    source: str = ""


class LineFault(NamedTuple):
    """A line that cannot become a message, and why."""

    line: int
    reason: str


@dataclass
class FilledSheet:
    """A file as read: decisions, faulty lines, and the number of lines left blank."""

    decisions: list[Decision] = field(default_factory=list)
    faults: list[LineFault] = field(default_factory=list)
    blank: int = 0


def queue(client: Client, limit: int) -> list[dict[str, Any]]:
    """The first `limit` groups of the review queue, least confident first."""
    return list(client.query(_QUEUE, {"limit": limit}, tz_mode="aware").named_results())


def to_csv(rows: Iterable[dict[str, Any]]) -> bytes:
    """The sheet as `csv_lines` writes it for spreadsheet programs. `event_type` is empty."""
    return b"".join(csv_lines([COLUMNS.values(), *_cells(rows)]))


def _cells(rows: Iterable[dict[str, Any]]) -> Iterator[list[str]]:
    for row in rows:
        guesses = zip(row["alternatives"], row["alternatives_zh"], row["alternative_confidence"], strict=True)
        cells = row | {
            "event_type": "",
            "best": "; ".join(f"{code} {zh} {confidence:.2f}" for code, zh, confidence in guesses),
            "confidence": f"{row['confidence']:.3f}",
            "reported_at": row["reported_at"].isoformat(sep=" ", timespec="minutes"),
        }
        yield [str(cells[name]) for name in COLUMNS]


def read_csv(content: bytes) -> FilledSheet:
    """The decisions of a filled-in file. It needs the columns report_id and event_type, in any
    order, in UTF-8 or in GB 18030, which Chinese spreadsheet programs write.

    Raises:
        UserFault: the columns are missing, or the file is not CSV text.
    """
    reader = csv.reader(io.StringIO(_decoded(content), newline=""))
    sheet, decided = FilledSheet(), dict[tuple[str, str], Decision]()
    try:
        header = [cell.split()[0].lower() if cell.split() else "" for cell in next(reader, [])]
        if not {"report_id", "event_type"} <= set(header):
            raise UserFault(
                "首行须有 report_id 与 event_type 两列 the first line must name the columns report_id and event_type, "
                "as `review export` writes it"
            )
        for line, row in enumerate(reader, 2):
            if any(map(str.strip, row)):
                _read_line(sheet, decided, line, dict(zip(header, row, strict=False)))
    except csv.Error as error:
        raise UserFault(f"第 {reader.line_num} 行不是 CSV line {reader.line_num} is not CSV: {error}") from error
    return sheet


def _read_line(sheet: FilledSheet, decided: dict[tuple[str, str], Decision], line: int, cells: dict[str, str]) -> None:
    """Add a line to `sheet`; `decided`: the decision on each report so far."""
    report, filled_in = rearm(cells.get("report_id", "").strip()), cells.get("event_type", "").strip()
    source = cells.get("source", "").strip()
    key = (source, report)
    if not filled_in:
        sheet.blank += 1
        return
    code = _code(filled_in)
    if code is None:
        sheet.faults.append(LineFault(line, f"没有此类型 no such event type: {filled_in[:40]}"))
    elif not report:
        sheet.faults.append(LineFault(line, "没有 report_id no report_id"))
    elif key not in decided:
        decided[key] = Decision(line, report, code, source)
        sheet.decisions.append(decided[key])
    elif decided[key].event_type != code:
        earlier = decided[key].line
        sheet.faults.append(LineFault(line, f"{report}: 第 {earlier} 行定为别类 line {earlier} decides otherwise"))


def _code(cell: str) -> int | None:
    """The code in `405`, `405.0` or `405 name`, also in full-width digits; None if there is no such
    type."""
    match = re.match(r"([0-9]{3})(\.0*)?(?![0-9.])", unicodedata.normalize("NFKC", cell))
    return int(match[1]) if match and int(match[1]) in known_codes() else None


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserFault(
        "文件既非 UTF-8 也非 GB 18030，请另存为 CSV the file is neither UTF-8 nor GB 18030 text: save it as CSV"
    )


def sorted_faults(*parts: Iterable[LineFault]) -> Iterator[LineFault]:
    """All faults in the order of their lines."""
    yield from sorted(fault for part in parts for fault in part)

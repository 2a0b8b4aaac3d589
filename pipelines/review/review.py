"""The review queue as a CSV file for clerks, and their decisions as ordinary messages.

A decision is the newest snapshot of its report with `event_type` set by a person; it takes the way of every message.
The reporter is left out, since only a keyed hash of it is stored. Texts and other fields are the stored, masked ones.
"""

import csv
import io
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault
from schemas.contract import v1
from schemas.event_types import event_types, known_codes

_QUEUE = """
SELECT report_id, text, confidence, alternatives, alternatives_zh, alternative_confidence, alike, reported_at,
    grid_code, source, status, model_version
FROM review_queue
ORDER BY confidence, reported_at, report_id
LIMIT {limit:UInt32}"""

_SNAPSHOTS = """
SELECT e.report_id AS report_id, toString(e.event_id) AS event_id, e.status AS status, e.reported_at AS reported_at,
    e.updated_at AS updated_at, e.due_at AS due_at, e.grid_code AS grid_code, e.source AS source,
    e.source_type AS source_type, e.event_type AS event_type, e.decided_by AS decided_by, e.text AS text,
    e.lon AS lon, e.lat AS lat, e.severity AS severity, e.satisfaction AS satisfaction, e.handler AS handler,
    e.extra AS extra
FROM events AS e FINAL
WHERE (e.day, e.event_id) IN
    (SELECT day, event_id FROM report_states FINAL WHERE report_id IN {reports:Array(String)})
ORDER BY updated_at DESC
LIMIT 1 BY report_id"""

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
_BLOCK = 1000  # reports asked for at once
_NAMESPACE = uuid.UUID("6f0f6c1e-6a5b-5c0e-9b53-0d2d1f6f6b7e")  # of decisions' event ids
_FORMULA = re.compile(r"[=+\-@\t\r]|\d{12,}$")
"""What a spreadsheet would run as a formula, or round as a number."""


class Decision(NamedTuple):
    """What a clerk filled in; `line` is the row's number in a spreadsheet: the header is 1, and a cell with line feeds
    does not count more.
    """

    line: int
    report_id: str
    event_type: int


class CellFault(NamedTuple):
    """A line that led to no message, and why."""

    line: int
    reason: str


@dataclass
class Filled:
    """A file as read: decisions, faulty lines, and how many lines were left blank."""

    decisions: list[Decision] = field(default_factory=list)
    faults: list[CellFault] = field(default_factory=list)
    blank: int = 0


@dataclass
class Prepared:
    """Messages (key, value) to send, lines whose decision already holds, and faults."""

    messages: list[tuple[bytes, bytes]] = field(default_factory=list)
    holding: int = 0
    faults: list[CellFault] = field(default_factory=list)


def queue(client: Client, limit: int) -> list[dict[str, Any]]:
    """The first `limit` groups of the queue, least confident first."""
    return list(client.query(_QUEUE, {"limit": limit}, tz_mode="aware").named_results())


def to_csv(rows: Iterable[dict[str, Any]]) -> bytes:
    """UTF-8 with a byte-order mark, so that spreadsheets show Chinese. `event_type` is empty, for the clerk. A cell
    that a spreadsheet would take for a formula or round as a number begins with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS.values())
    for row in rows:
        cells = row | {"event_type": "", "best": _best(row), "confidence": f"{row['confidence']:.3f}"}
        cells["reported_at"] = row["reported_at"].isoformat(sep=" ", timespec="minutes")
        writer.writerow([_guarded(str(cells[name])) for name in COLUMNS])
    return text.getvalue().encode("utf-8-sig")


def _best(row: dict[str, Any]) -> str:
    three = zip(row["alternatives"], row["alternatives_zh"], row["alternative_confidence"], strict=True)
    return "; ".join(f"{code} {zh} {chance:.2f}" for code, zh, chance in three)


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def read_csv(content: bytes) -> Filled:
    """Decisions of a filled-in file; needs the columns report_id and event_type, in any order. UTF-8, or GB 18030 as
    a Chinese spreadsheet program saves it.

    Raises:
        UserFault: no such columns, or no CSV text.
    """
    reader = csv.reader(io.StringIO(_decoded(content), newline=""))
    header = [cell.split()[0].lower() if cell.split() else "" for cell in next(reader, [])]
    if not {"report_id", "event_type"} <= set(header):
        raise UserFault("The first line must name the columns report_id and event_type, as `review export` writes it.")
    filled, seen = Filled(), dict[str, Decision]()
    try:
        for number, row in enumerate(reader, 2):
            if any(map(str.strip, row)):
                _take(filled, seen, number, dict(zip(header, row, strict=False)))
    except csv.Error as error:
        raise UserFault(f"Line {reader.line_num} is no CSV: {error}.") from error
    return filled


def _take(filled: Filled, seen: dict[str, Decision], line: int, cells: dict[str, str]) -> None:
    report, typed = _unguarded(cells.get("report_id", "").strip()), cells.get("event_type", "").strip()
    if not typed:
        filled.blank += 1
        return
    code = _code(typed)
    if code is None:
        filled.faults.append(CellFault(line, f"没有此类型 no such event type: {typed[:40]}"))
    elif not report:
        filled.faults.append(CellFault(line, "没有 report_id no report_id"))
    elif report in seen and seen[report].event_type != code:
        filled.faults.append(
            CellFault(line, f"{report}: 第 {seen[report].line} 行已定为 decided otherwise on that line")
        )
    elif report not in seen:
        seen[report] = Decision(line, report, code)
        filled.decisions.append(seen[report])


def _code(typed: str) -> int | None:
    """`405`, `405.0` or `405 name`, of a type that there is; full-width digits too."""
    found = re.match(r"([0-9]{3})(\.0*)?(?![0-9.])", unicodedata.normalize("NFKC", typed))
    return int(found[1]) if found and int(found[1]) in known_codes() else None


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise UserFault("The file is neither UTF-8 nor GB 18030 text: save it as CSV.") from error


def prepare(client: Client, decisions: list[Decision], now: datetime) -> Prepared:
    """Messages for decisions that change something. A report that a person has decided since is not overruled."""
    prepared = Prepared()
    for start in range(0, len(decisions), _BLOCK):
        block = decisions[start : start + _BLOCK]
        known = snapshots(client, [decision.report_id for decision in block])
        for decision in block:
            _prepare(prepared, decision, known.get(decision.report_id), now)
    return prepared


def snapshots(client: Client, reports: list[str]) -> dict[str, dict[str, Any]]:
    """The newest message of each of these reports that there is."""
    rows = client.query(_SNAPSHOTS, {"reports": reports}, tz_mode="aware").named_results()
    return {row["report_id"]: row for row in rows}


def _prepare(prepared: Prepared, decision: Decision, newest: dict[str, Any] | None, now: datetime) -> None:
    if newest is None:
        prepared.faults.append(CellFault(decision.line, f"没有此上报 no such report: {decision.report_id[:80]}"))
    elif newest["decided_by"] != "person":
        made = message(newest, decision.event_type, now)
        prepared.messages.append((newest["grid_code"].encode(), msgspec.json.encode(made)))
    elif newest["event_type"] == decision.event_type:
        prepared.holding += 1
    else:
        reason = f"{decision.report_id}: 已由他人定为 a person has decided {newest['event_type']} since"
        prepared.faults.append(CellFault(decision.line, reason))


def message(newest: dict[str, Any], code: int, now: datetime) -> dict[str, Any]:
    """The snapshot with a person's type, as contract v1. Its event id follows from the snapshot and the type: sent
    twice, it is the same message.
    """
    fields = {name: newest[name] for name in _KEPT} | {
        "schema_version": v1.VERSION,
        "event_id": str(uuid.uuid5(_NAMESPACE, f"{newest['report_id']}|{newest['event_id']}|{code}")),
        "event_type": code,
        "updated_at": max(now, newest["updated_at"] + timedelta(milliseconds=1)),
        "due_at": None if _derived(newest) else newest["due_at"],
        "location": _location(newest),
    }
    times = {name: value.astimezone(UTC).isoformat() for name, value in fields.items() if isinstance(value, datetime)}
    stated = {name: value for name, value in (fields | times).items() if value not in (None, "")}
    return msgspec.json.decode(newest["extra"] or "{}") | stated  # type: ignore[no-any-return]


_KEPT = (
    *("report_id", "status", "reported_at", "grid_code", "source", "source_type", "text", "severity"),
    *("satisfaction", "handler"),
)


def _derived(newest: dict[str, Any]) -> bool:
    """Whether due_at is the old type's handling limit: then the new type's limit takes its place."""
    limits = {kind.code: kind.limit_hours for kind in event_types()}
    hours = limits.get(newest["event_type"])
    return hours is not None and newest["due_at"] == newest["reported_at"] + timedelta(hours=hours)


def _location(newest: dict[str, Any]) -> dict[str, Any] | None:
    if newest["lon"] is None or newest["lat"] is None:
        return None
    return {"lon": newest["lon"], "lat": newest["lat"], "crs": "wgs84"}


def all_faults(*parts: Iterable[CellFault]) -> Iterator[CellFault]:
    """Faults in order of line."""
    yield from sorted(fault for part in parts for fault in part)

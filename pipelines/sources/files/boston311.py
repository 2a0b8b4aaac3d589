"""Boston 311: service requests with opening, target and closing times (CSV, 24 columns, ODC-PDDL)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import UserFault
from pipelines.sources.source import CsvFile, FileFinding, Mapped, Message, Notes, mapped_rows, open_csv, stable_uuid
from schemas.crosswalks import crosswalk, source_type_of
from schemas.event_types import event_type
from schemas.registry import grids_by_source

CITY = "840617"
UNKNOWN_GRID = "000000000000"
COLUMNS = (
    "case_id", "open_date", "close_date", "target_close_date", "service_name", "assigned_team", "case_status",
    "closure_reason", "on_time", "report_source", "full_address", "neighborhood", "longitude", "latitude",
)  # fmt: skip
STATUSES = {
    "Closed": "closed",
    "In progress": "dispatched",
    "Needs Reallocation": "dispatched",
    "Submit": "accepted",
    "Create": "reported",
    "Error": "reported",
}
NO_SERVICE = "(none)"
_TITLES = {
    "on_time_differs": ("按时标记与时间不符", "on_time is not what the times say"),
    "on_time_underivable": ("按时标记无法由时间推出", "on_time cannot follow from the times: closed, no target"),
    "reason_without_closing": ("未关闭却有关闭原因", "A closure reason although the case is open"),
    "no_target": ("没有目标时间", "No target_close_date: the type's limit applies"),
    "no_place": ("没有坐标", "No coordinates"),
    "unknown_area": ("街区不在名录", "Neighbourhood not in the registry"),
}


def open_boston311(path: Path) -> "Boston311":
    """Opens the export. Raises UserFault as `open_csv` does."""
    return Boston311(open_csv(path, COLUMNS))


@dataclass
class Boston311:
    """The rows of one export file as messages: the last known state of each case."""

    file: CsvFile

    def __post_init__(self) -> None:
        self._notes = Notes(_TITLES)
        self._grids = grids_by_source(CITY)
        self._crosswalk = crosswalk("boston311")

    @property
    def rows(self) -> int:
        return self.file.rows

    def findings(self) -> tuple[FileFinding, ...]:
        return self._notes.found()

    def messages(self) -> Iterator[Mapped]:
        return mapped_rows(self.file, self._message, self._crosswalk.knows)

    def _message(self, record: dict[str, str]) -> Message:
        status = STATUSES.get(record["case_status"])
        if status is None:
            raise UserFault(f"unknown case_status {record['case_status']!r}")
        opened, closed, target = (_moment(record, name) for name in ("open_date", "close_date", "target_close_date"))
        if opened is None:
            raise UserFault("open_date is missing")
        if status == "closed" and closed is None:
            raise UserFault("case_status Closed without close_date")
        self._look(record, closed, target)
        service = record["service_name"] or NO_SERVICE
        source_type = source_type_of("boston311", service)
        message: Message = {
            "schema_version": 1,
            "event_id": stable_uuid("boston311", record["case_id"], record["case_status"], record["close_date"]),
            "report_id": f"boston311-{record['case_id']}",
            "status": status,
            "reported_at": opened.isoformat(),
            "updated_at": (closed or opened).isoformat(),
            "grid_code": self._grid(record),
            "source": "open311",
            "source_type": source_type,
            "text": "; ".join(part for part in (record["service_name"], record["full_address"]) if part) or NO_SERVICE,
            "severity": event_type(self._crosswalk.map(source_type) or 999).severity,
            "report_source": record["report_source"],
        }
        optional = {
            "due_at": target.isoformat() if target else None,
            "handler": record["assigned_team"] or None,
            "location": self._point(record),
        }
        return message | {name: value for name, value in optional.items() if value is not None}

    def _grid(self, record: dict[str, str]) -> str:
        found = self._grids.get(record["neighborhood"])
        if found:
            return found.grid_code
        self._notes.add("unknown_area", f"{record['case_id']}: {record['neighborhood']!r}")
        return UNKNOWN_GRID

    def _point(self, record: dict[str, str]) -> dict[str, Any] | None:
        try:
            return {"lon": float(record["longitude"]), "lat": float(record["latitude"]), "crs": "wgs84"}
        except ValueError:
            self._notes.add("no_place", record["case_id"])
            return None

    def _look(self, record: dict[str, str], closed: datetime | None, target: datetime | None) -> None:
        """Notes where the file contradicts itself. An open case's on_time depends on the day of the
        export, which the file does not tell, so only closed cases are compared."""
        case, said = record["case_id"], record["on_time"]
        if target is None:
            self._notes.add("no_target", case)
        if closed and target and (closed <= target) != (said == "ONTIME"):
            self._notes.add("on_time_differs", f"{case}: closed {closed}, target {target}, {said}")
        if closed and target is None:
            self._notes.add("on_time_underivable", f"{case}: {said}")
        if not closed and record["closure_reason"]:
            self._notes.add("reason_without_closing", f"{case}: {record['case_status']}, {record['closure_reason']}")


def _moment(record: dict[str, str], column: str) -> datetime | None:
    written = record[column]
    if not written:
        return None
    try:
        found = datetime.fromisoformat(f"{written}:00" if written[-3] in "+-" else written)
    except (ValueError, IndexError) as error:
        raise UserFault(f"{column} is not a time: {written!r}") from error
    if found.tzinfo is None:
        raise UserFault(f"{column} has no offset: {written!r}")
    return found

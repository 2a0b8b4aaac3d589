"""Boston 311: service requests with opening, target and closing times (CSV, 24 columns, ODC-PDDL).

Only the closing of a case has a time; any other state is dated as `ExportTimes` describes.
"""

from datetime import datetime
from typing import Any

from pipelines.errors import UserFault
from pipelines.sources.csv_file import Record
from pipelines.sources.csv_source import CsvSource
from pipelines.sources.source import Message

STATUSES = {
    "Closed": "closed",
    "In progress": "dispatched",
    "Needs Reallocation": "dispatched",
    "Submit": "accepted",
    "Create": "reported",
    "Error": "reported",
}
NO_SERVICE = "(none)"


class Boston311(CsvSource):
    """The rows of one export file as messages."""

    name = "boston311"
    zh, en = "波士顿 311 服务请求", "Boston 311 service requests"
    city = "840617"
    columns = (
        "case_id", "open_date", "close_date", "target_close_date", "service_name", "assigned_team", "case_status",
        "closure_reason", "on_time", "report_source", "full_address", "neighborhood", "longitude", "latitude",
    )  # fmt: skip
    id_column = "case_id"
    time_columns = ("open_date", "close_date")
    titles = {
        "on_time_differs": ("按时标记与时间不符", "on_time contradicts the times"),
        "on_time_underivable": ("按时标记无法由时间推出", "on_time cannot be derived: closed, without a target"),
        "reason_without_closing": ("未关闭却有关闭原因", "A closure reason although the case is open"),
        "no_target": ("没有目标时间", "No target_close_date: the limit of the type applies"),
        "no_place": ("没有坐标", "No coordinates"),
        "unknown_area": ("街区不在名录", "Neighbourhood not in the registry"),
    }

    def convert(self, record: Record) -> Message:
        status = STATUSES.get(record["case_status"])
        if status is None:
            raise UserFault(f"未知的状态 unknown case_status {record['case_status']!r}")
        opened, closed, target = (
            self._optional_time(record, column) for column in ("open_date", "close_date", "target_close_date")
        )
        if opened is None:
            raise UserFault("缺少 open_date is missing")
        if status != "closed":
            updated = self.times.state(record["case_id"], closed or opened)
        elif closed:
            updated = closed
        else:
            raise UserFault("已关闭却无关闭时间 case_status Closed without close_date")
        self._note_contradictions(record, closed, target)
        source_type, kind = self.category(record["service_name"] or NO_SERVICE)
        return {
            "report_id": f"boston311-{record['case_id']}",
            "status": status,
            "reported_at": opened.isoformat(),
            "updated_at": updated.isoformat(),
            "due_at": target.isoformat() if target else None,
            "grid_code": self.grid_code(record["neighborhood"], f"{record['case_id']}: {record['neighborhood']!r}"),
            "location": self._location(record),
            "source": "open311",
            "source_type": source_type,
            "text": "; ".join(filter(None, (record["service_name"], record["full_address"]))) or NO_SERVICE,
            "severity": kind.severity,
            "handler": record["assigned_team"] or None,
            "report_source": record["report_source"],
        }

    def _optional_time(self, record: Record, column: str) -> datetime | None:
        return self.time(record, column) if record[column] else None

    def _location(self, record: Record) -> dict[str, Any] | None:
        try:
            return {"lon": float(record["longitude"]), "lat": float(record["latitude"]), "crs": "wgs84"}
        except ValueError:
            self.notes.add("no_place", record["case_id"])
            return None

    def _note_contradictions(self, record: Record, closed: datetime | None, target: datetime | None) -> None:
        """Notes where the file contradicts itself.

        Only closed cases are compared: the on_time of an open case depends on the time of the export.
        """
        case, on_time = record["case_id"], record["on_time"]
        if target is None:
            self.notes.add("no_target", case)
        if closed and target and (closed <= target) != (on_time == "ONTIME"):
            self.notes.add("on_time_differs", f"{case}: closed {closed}, target {target}, {on_time}")
        if closed and target is None:
            self.notes.add("on_time_underivable", f"{case}: {on_time}")
        if not closed and record["closure_reason"]:
            self.notes.add("reason_without_closing", f"{case}: {record['case_status']}, {record['closure_reason']}")

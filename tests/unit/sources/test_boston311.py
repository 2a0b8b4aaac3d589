"""The Boston adapter: invented rows for each rule, then the real file against its own figures."""

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines.sources.catalogue import open_source
from pipelines.sources.files.boston311 import Boston311
from pipelines.sources.ingest import Ingested, ingest
from pipelines.sources.source import Mapped
from schemas.contract.v1 import Report

ROW = dict.fromkeys(Boston311.columns, "") | {
    "case_id": "BCS-1", "open_date": "2025-08-01 06:35:06.539+00", "close_date": "2025-08-03 08:00:09+00",
    "target_close_date": "2025-08-04 06:35:06.539+00", "service_name": "Street Light Outage", "case_status": "Closed",
    "on_time": "ONTIME", "full_address": "1 Main St, Boston, MA 02129", "neighborhood": "Charlestown",
    "longitude": "-71.06", "latitude": "42.37", "assigned_team": "PWD Street Lighting", "report_source": "Call",
}  # fmt: skip


def opened(tmp_path: Path, *changes: dict[str, str], exported_at: datetime | None = None) -> Any:
    path = tmp_path / "requests.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, Boston311.columns)
        writer.writeheader()
        writer.writerows(ROW | change for change in changes)
    return open_source("boston311", path, exported_at)


def reports(tmp_path: Path, *changes: dict[str, str]) -> list[Report]:
    return [msgspec.convert(row.message, Report) for row in opened(tmp_path, *changes).messages()]


def mapped(tmp_path: Path, **change: str) -> Mapped:
    found: Mapped = next(opened(tmp_path, change).messages())
    return found


def summary(tmp_path: Path, **change: str) -> Ingested:
    return ingest(opened(tmp_path, change), None)


def test_a_closed_case(tmp_path: Path) -> None:
    report = msgspec.convert(mapped(tmp_path).message, Report)
    assert (report.status, report.source, report.source_type) == ("closed", "open311", "boston311/Street Light Outage")
    assert report.updated_at.isoformat() == "2025-08-03T08:00:09+00:00"
    assert report.due_at is not None and report.due_at > report.updated_at
    assert report.location is not None and report.location.crs == "wgs84"
    assert report.text == "Street Light Outage; 1 Main St, Boston, MA 02129"


OPEN = {"case_status": "In progress", "close_date": ""}


def test_an_open_case_was_open_at_the_newest_time_of_the_file(tmp_path: Path) -> None:
    (only,) = reports(tmp_path, OPEN)
    assert (only.status, only.updated_at) == ("dispatched", only.reported_at)
    open_case, closed = reports(tmp_path, OPEN | {"case_id": "BCS-2"}, {})
    assert open_case.updated_at == closed.updated_at
    later, _ = reports(tmp_path, OPEN, {"case_id": "BCS-2", "close_date": "2099-01-01 00:00:00+00"})
    assert later.updated_at == later.reported_at  # the future is a typing error, not the time of the export


def test_the_time_of_the_export_can_be_given(tmp_path: Path) -> None:
    exported = datetime(2025, 9, 1, tzinfo=UTC)
    (row,) = opened(tmp_path, OPEN, exported_at=exported).messages()
    assert msgspec.convert(row.message, Report).updated_at == exported


def test_a_later_step_in_the_file_is_newer(tmp_path: Path) -> None:
    created = OPEN | {"case_status": "Create"}
    steps = reports(tmp_path, created, OPEN, {}, OPEN, OPEN | {"case_id": "BCS-2"})
    times = [step.updated_at for step in steps[:4]]
    assert times == sorted(set(times))
    assert [step.status for step in steps[:4]] == ["reported", "dispatched", "closed", "dispatched"]
    assert times[2] == steps[4].updated_at, "the time of closing stays as it is in the file"


def newest(*readings: list[Report]) -> dict[str, str]:
    """The status of each report as `report_states` has it after these readings: the largest time, then event_id."""
    found: dict[str, Report] = {}
    for report in (report for reading in readings for report in reading):
        known = found.get(report.report_id, report)
        found[report.report_id] = max(known, report, key=lambda one: (one.updated_at, one.event_id))
    return {name.removeprefix("boston311-"): report.status for name, report in found.items()}


def test_an_export_that_is_read_again_shows_the_newer_state(tmp_path: Path) -> None:
    """101 was dispatched after its creation, 104 is no longer closed; whichever is read last."""
    undated = dict.fromkeys(("close_date", "target_close_date"), "") | {"open_date": "2026-03-08 01:59:00-05"}
    steps = [
        undated | {"case_id": "101", "case_status": "Create"},
        undated | {"case_id": "101", "case_status": "In progress"},
        undated | {"case_id": "102", "close_date": "2026-03-07 10:00:00-05"},
        undated | {"case_id": "103", "case_status": "In progress"},
        undated | {"case_id": "104", "close_date": "2026-03-09 10:00:00-04"},
        undated | {"case_id": "104", "case_status": "In progress"},
    ]
    before, after = reports(tmp_path, *steps[:5]), reports(tmp_path, *steps)
    assert newest(before) == {"101": "dispatched", "102": "closed", "103": "dispatched", "104": "closed"}
    expected = {"101": "dispatched", "102": "closed", "103": "dispatched", "104": "dispatched"}
    assert newest(before, after) == newest(after, before) == newest(before, after, before) == expected
    assert {report.event_id for report in before} <= {report.event_id for report in after}


def test_a_reopened_case_of_a_later_export_is_open(tmp_path: Path) -> None:
    other = {"case_id": "BCS-2", "open_date": "2025-08-05 00:00:00+00", "close_date": "2025-08-06 00:00:00+00"}
    before, after = reports(tmp_path, {}), reports(tmp_path, OPEN, other)
    assert newest(before, after) == newest(after, before) == {"BCS-1": "dispatched", "BCS-2": "closed"}


def test_a_case_that_keeps_its_closing_time_when_it_is_reopened_is_open(tmp_path: Path) -> None:
    other = {"case_id": "BCS-2", "open_date": "2025-08-05 00:00:00+00", "close_date": "2025-08-06 00:00:00+00"}
    reopened = {"case_status": "Needs Reallocation"}
    assert newest(reports(tmp_path, {}), reports(tmp_path, reopened, other))["BCS-1"] == "dispatched"


def test_other_content_has_another_event_id(tmp_path: Path) -> None:
    ids = [reports(tmp_path, change)[0].event_id for change in ({}, {}, {"full_address": "2 Main St"})]
    assert ids[0] == ids[1] != ids[2]


def test_what_is_missing_is_left_out(tmp_path: Path) -> None:
    message = mapped(tmp_path, longitude="", target_close_date="", assigned_team="").message
    assert message is not None and not {"location", "due_at", "handler"} & set(message)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"case_status": "Lost"}, "未知的状态 unknown case_status 'Lost'"),
        ({"open_date": ""}, "缺少 open_date is missing"),
        ({"open_date": "yesterday"}, "open_date 不是可识别的时间 is not a time, year first: 'yesterday'"),
        ({"open_date": "2025-08-01 06:35:06"}, "open_date 没有时区偏移 has no offset: '2025-08-01 06:35:06'"),
        ({"close_date": ""}, "已关闭却无关闭时间 case_status Closed without close_date"),
    ],
)
def test_rows_that_cannot_be_turned_say_why(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    found = mapped(tmp_path, **change)
    assert (found.message, found.problem) == (None, problem)


def test_contradictions_are_findings(tmp_path: Path) -> None:
    def found(**change: str) -> set[str]:
        return {finding.id for finding in summary(tmp_path, **change).findings}

    assert found() == set()
    assert found(on_time="OVERDUE") == {"on_time_differs"}
    assert found(target_close_date="") == {"no_target", "on_time_underivable"}
    assert found(neighborhood="Atlantis") == {"unknown_area"}


def test_on_time_comes_out_as_the_real_file_says(data: Path) -> None:
    path = data / "boston311" / "boston_311_requests.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        said = {f"boston311-{row['case_id']}": row["on_time"] for row in csv.DictReader(stream)}
    source = open_source("boston311", path)
    reports = [msgspec.convert(row.message, Report) for row in source.messages()]
    assert len(reports) == source.rows == 5473
    derivable = [r for r in reports if r.status == "closed" and r.due_at]
    ours = Counter((said[r.report_id], bool(r.due_at and r.updated_at <= r.due_at)) for r in derivable)
    assert ours == {("ONTIME", True): 3305, ("OVERDUE", False): 785}
    assert "on_time_differs" not in {finding.id for finding in source.findings()}

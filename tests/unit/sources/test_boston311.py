"""The Boston adapter: invented rows for each rule, then the real file against its own figures."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines.sources.catalogue import open_source
from pipelines.sources.files.boston311 import COLUMNS
from pipelines.sources.ingest import Ingested, ingest
from pipelines.sources.source import Mapped
from schemas.contract.v1 import Report

ROW = dict.fromkeys(COLUMNS, "") | {
    "case_id": "BCS-1", "open_date": "2025-08-01 06:35:06.539+00", "close_date": "2025-08-03 08:00:09+00",
    "target_close_date": "2025-08-04 06:35:06.539+00", "service_name": "Street Light Outage", "case_status": "Closed",
    "on_time": "ONTIME", "full_address": "1 Main St, Boston, MA 02129", "neighborhood": "Charlestown",
    "longitude": "-71.06", "latitude": "42.37", "assigned_team": "PWD Street Lighting", "report_source": "Call",
}  # fmt: skip


def opened(tmp_path: Path, *changes: dict[str, str]) -> Any:
    path = tmp_path / "requests.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(ROW | change for change in changes)
    return open_source("boston311", path)


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


def test_an_open_case_has_its_opening_as_latest_time(tmp_path: Path) -> None:
    report = msgspec.convert(mapped(tmp_path, case_status="In progress", close_date="").message, Report)
    assert (report.status, report.updated_at) == ("dispatched", report.reported_at)


def test_what_is_missing_is_left_out(tmp_path: Path) -> None:
    message = mapped(tmp_path, longitude="", target_close_date="", assigned_team="").message
    assert message is not None and not {"location", "due_at", "handler"} & set(message)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"case_status": "Lost"}, "unknown case_status 'Lost'"),
        ({"open_date": ""}, "open_date is missing"),
        ({"open_date": "yesterday"}, "open_date is not a time: 'yesterday'"),
        ({"open_date": "2025-08-01 06:35:06"}, "open_date has no offset: '2025-08-01 06:35:06'"),
        ({"close_date": ""}, "case_status Closed without close_date"),
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

"""The Pingshan adapter: invented rows for each rule, then the real file against its own figures."""

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines.sources.catalogue import open_source
from pipelines.sources.files.pingshan import Pingshan
from pipelines.sources.ingest import ingest
from pipelines.sources.source import Mapped
from schemas.contract.v1 import Report

ROW = dict.fromkeys(Pingshan.columns, "1") | {
    "REC_ID": "900001", "CREATE_TIME": "2018-07-04 17:24:41", "EVENT_SRC_NAME": "12345", "EVENT_PROPERTY_NAME": "投诉",
    "EVENT_TYPE_NAME": "市政设施", "MAIN_TYPE_NAME": "公用部件", "SUB_TYPE_NAME": "下水井盖", "STREET_NAME": "坪山街道",
    "COMMUNITY_ID": "10007", "COMMUNITY_NAME": "六联社区", "INTIME_ARCHIVE_NUM": "1", "OVERTIME_ARCHIVE_NUM": "0",
}  # fmt: skip


def written(tmp_path: Path, *changes: dict[str, str]) -> Path:
    path = tmp_path / "events.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, Pingshan.columns)
        writer.writeheader()
        writer.writerows(ROW | change for change in changes)
    return path


def mapped(tmp_path: Path, *changes: dict[str, str]) -> list[Mapped]:
    return list(open_source("pingshan", written(tmp_path, *changes)).messages())


def one(tmp_path: Path, **change: str) -> dict[str, Any]:
    message = mapped(tmp_path, change)[0].message
    assert message is not None
    msgspec.convert(message, Report)
    return message


def test_closed_in_time_is_closed_at_the_limit(tmp_path: Path) -> None:
    message = one(tmp_path)
    assert message["status"] == "closed"
    assert message["reported_at"] == "2018-07-04T17:24:41+08:00"
    assert message["updated_at"] == message["due_at"]
    assert message["closing_time"] == "bound"
    assert message["source_type"] == "pingshan/公用部件/下水井盖"
    assert message["text"] == "坪山街道六联社区 市政设施 公用部件 下水井盖（投诉）"


def test_closed_late_is_closed_a_second_after_the_limit(tmp_path: Path) -> None:
    message = one(tmp_path, INTIME_ARCHIVE_NUM="0", OVERTIME_ARCHIVE_NUM="1")
    late = datetime.fromisoformat(message["updated_at"]) - datetime.fromisoformat(message["due_at"])
    assert (message["status"], late.total_seconds()) == ("closed", 1)


def test_not_closed_is_accepted(tmp_path: Path) -> None:
    message = one(tmp_path, INTIME_ARCHIVE_NUM="-", OVERTIME_ARCHIVE_NUM="-")
    assert (message["status"], message["updated_at"]) == ("accepted", message["reported_at"])
    assert "closing_time" not in message


def test_a_missing_community_goes_to_the_stream_as_unknown(tmp_path: Path) -> None:
    message = one(tmp_path, COMMUNITY_ID="-", COMMUNITY_NAME="-", STREET_NAME="-")
    assert message["grid_code"] == "000000000000"
    assert message["text"] == "市政设施 公用部件 下水井盖（投诉）"


def test_rows_that_cannot_be_turned_say_why(tmp_path: Path) -> None:
    changes = [
        {"CREATE_TIME": "-"},
        {"CREATE_TIME": "9999-12-31 23:00:00"},  # the limit is after the last year
        {"EVENT_SRC_NAME": "fax"},
        {"REC_ID": " "},
        {},
    ]
    rows = mapped(tmp_path, *changes)
    assert [row.problem for row in rows] == [
        "CREATE_TIME 不是可识别的时间 is not a time, year first: '-'",
        "时间超出范围 a time is out of range",
        "未知的渠道 unknown channel EVENT_SRC_NAME 'fax'",
        "缺少 REC_ID is missing",
        "",
    ]
    assert [row.message is None for row in rows] == [True, True, True, True, False]


@pytest.mark.parametrize("written", ["2018/7/4 17:24:41", "2018/07/04 17:24:41.0", "2018年7月4日 17:24:41"])
def test_times_that_a_spreadsheet_wrote_year_first_are_read(tmp_path: Path, written: str) -> None:
    assert one(tmp_path, CREATE_TIME=written) == one(tmp_path)
    assert one(tmp_path, CREATE_TIME="2018/1/5 10:32")["reported_at"] == "2018-01-05T10:32:00+08:00"


@pytest.mark.parametrize("written", ["5/1/2018 10:32", "18/1/5 10:32", "2018/13/5 10:32", "2018/1/5", "43105.44"])
def test_ambiguous_or_impossible_times_are_not_guessed(tmp_path: Path, written: str) -> None:
    (row,) = mapped(tmp_path, {"CREATE_TIME": written})
    assert "CREATE_TIME 不是可识别的时间" in row.problem


def test_an_unlisted_category_is_reported(tmp_path: Path) -> None:
    rows = mapped(tmp_path, {"MAIN_TYPE_NAME": "太空垃圾"}, {})
    assert [row.category for row in rows] == ["pingshan/太空垃圾/下水井盖", ""]


def test_the_same_row_has_the_same_event_id(tmp_path: Path) -> None:
    assert one(tmp_path)["event_id"] == one(tmp_path)["event_id"]
    assert one(tmp_path)["event_id"] != one(tmp_path, REC_ID="900002")["event_id"]


def test_what_is_odd_is_counted_and_the_rows_stay(tmp_path: Path) -> None:
    rows = [
        {"REC_ID": "1", "DISPOSE_UNIT_ID": "7", "DISPOSE_UNIT_NAME": "甲"},
        {"REC_ID": "2", "DISPOSE_UNIT_ID": "7", "DISPOSE_UNIT_NAME": "乙", "CREATE_TIME": "2018-07-04 17:24:40"},
        {"REC_ID": "3", "DISPOSE_UNIT_ID": "7", "DISPOSE_UNIT_NAME": "丙", "EVENT_PROPERTY_NAME": "-"},
        {"REC_ID": "4", "DISPOSE_UNIT_ID": "8", "DISPOSE_UNIT_NAME": "-"},
        {"REC_ID": "5", "DISPOSE_UNIT_ID": "8", "DISPOSE_UNIT_NAME": "丁"},
    ]
    done = ingest(open_source("pingshan", written(tmp_path, *rows)), None)
    assert done.sent == 5
    assert {finding.id: (finding.count, finding.parts) for finding in done.findings} == {
        "sentinel": (2, {"EVENT_PROPERTY_NAME": 1, "DISPOSE_UNIT_NAME": 1}),
        "two_names": (1, {"DISPOSE_UNIT_ID": 1}),
        "backward_time": (1, {}),
    }


@pytest.fixture(scope="module")
def real(data: Path) -> Any:
    return open_source("pingshan", data / "pingshan" / "events.csv")


def test_the_real_file_is_accounted_for(real: Any) -> None:
    reports = [msgspec.convert(row.message, Report) for row in real.messages()]
    assert len(reports) == real.rows == 10_000
    assert len({report.event_id for report in reports}) == 10_000
    closed = [report for report in reports if report.status == "closed"]
    in_time = Counter(report.due_at is not None and report.updated_at <= report.due_at for report in closed)
    assert in_time == {True: 9071, False: 924}
    assert Counter(report.grid_code[:6] for report in reports) == {"440310": 9990, "000000": 10}


def test_the_real_files_defects_are_found(data: Path) -> None:
    """Each by name with its count; counted apart with pandas as well."""
    done = ingest(open_source("pingshan", data / "pingshan" / "events.csv"), None)
    found = {finding.id: finding for finding in done.findings}
    assert {name: finding.count for name, finding in found.items()} == {
        **{"sentinel": 10_142, "two_names": 41, "backward_time": 340, "unknown_area": 10, "escaped_name": 1}
    }
    assert found["two_names"].parts == {"DISPOSE_UNIT_ID": 35, "SUB_TYPE_ID": 3, "EVENT_SRC_ID": 3}
    assert list(found["sentinel"].parts.items())[:3] == [
        *(("OCCUR_PLACE", 10_000), ("DISPOSE_UNIT_ID", 22), ("DISPOSE_UNIT_NAME", 22)),
    ]
    assert len(found["sentinel"].parts) == 13
    assert (done.problems, done.unmapped) == (0, Counter())

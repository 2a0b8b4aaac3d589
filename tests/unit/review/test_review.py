"""The review queue: its contents, the spreadsheet, the decisions read from it, and the messages sent."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault
from pipelines.review.decisions import message, prepare, snapshots
from pipelines.review.spreadsheet import Decision, queue, read_csv, to_csv
from schemas.contract.v1 import Report
from schemas.event_types import event_type

NOW = datetime(2026, 3, 5, 4, 0, tzinfo=UTC)
REPORTED = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)

_INSERT = """
INSERT INTO events (day, event_id, report_id, status, reported_at, updated_at, due_at, grid_code, source, event_type,
    decided_by, confidence, text, lon, lat, severity, handler, reporter_hash, extra, alternatives,
    alternative_confidence)
SELECT '2026-03-01', {event_id:UUID}, {report_id:String}, {status:String}, {reported_at:DateTime64(3, 'UTC')},
    {updated_at:DateTime64(3, 'UTC')}, {due_at:DateTime64(3, 'UTC')}, '330203001001', 'hotline', {event_type:UInt16},
    {decided_by:String}, {confidence:Float32}, {text:String}, 121.5, 29.8, 2, 'ORG7', 'a hash', {extra:String},
    [405, 408, 101], [0.3, 0.2, 0.1]"""


def add(client: Client, report_id: str, **changes: Any) -> str:
    """One message in `events`, undecided unless changed; its event id."""
    values: dict[str, Any] = {
        "event_id": str(uuid4()),
        "report_id": report_id,
        "status": "accepted",
        "reported_at": REPORTED,
        "updated_at": REPORTED,
        "due_at": REPORTED + timedelta(hours=event_type(999).limit_hours),
        "event_type": 999,
        "decided_by": "fallback",
        "confidence": 0.3,
        "text": f"说不清的事 {report_id}",
        "extra": '{"渠道":"窗口"}',
        **changes,
    }
    client.command(_INSERT, values)
    return str(values["event_id"])


@pytest.fixture
def client(migrated_database: Client) -> Client:
    migrated_database.command(
        "INSERT INTO event_types (event_type, zh) VALUES (405, '噪声'), (408, '其他扰民'), (101, '邻里')"
    )
    return migrated_database


def names(client: Client) -> list[str]:
    return [row["report_id"] for row in queue(client, 100)]


def test_only_what_is_in_doubt_waits_least_confident_first(client: Client) -> None:
    add(client, "A", confidence=0.40)
    add(client, "B", confidence=0.20)
    add(client, "C", decided_by="model", event_type=405, confidence=0.55)
    add(client, "sure", decided_by="model", event_type=405, confidence=0.61)
    add(client, "person", decided_by="person", event_type=405, confidence=1)
    add(client, "rejected", status="rejected")
    add(client, "settled")
    add(client, "settled", decided_by="person", event_type=101, confidence=1, updated_at=NOW)
    assert names(client) == ["B", "A", "C"]


def test_reports_that_say_the_same_are_one_line(client: Client) -> None:
    add(client, "A", text="楼下 KTV 太吵，3 号楼", confidence=0.4)
    add(client, "B", text="楼下ktv太吵!!12号楼。", confidence=0.3)
    add(client, "C", text="楼上太吵，3 号楼", confidence=0.5)
    assert [(row["report_id"], row["alike"]) for row in queue(client, 9)] == [("B", 2), ("C", 1)]


def test_the_queue_shows_names_of_the_best_three(client: Client) -> None:
    add(client, "A")
    (row,) = queue(client, 1)
    assert row["alternatives_zh"] == ["噪声", "其他扰民", "邻里"]
    assert "405 噪声 0.30; 408 其他扰民 0.20; 101 邻里 0.10" in to_csv([row]).decode("utf-8-sig")


def test_a_spreadsheet_gets_text_and_no_formulas(client: Client) -> None:
    add(client, "202603010000001234", text='=HYPERLINK("x"),\n第二行')
    content = to_csv(queue(client, 1))
    assert content.startswith(b"\xef\xbb\xbf")
    header, row = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert row[:3] == ["'202603010000001234", "", '\'=HYPERLINK("x"),\n第二行']
    assert len(header) == len(row)


def filled(client: Client, code: str) -> bytes:
    """The exported queue with `code` in every line."""
    rows = list(csv.reader(io.StringIO(to_csv(queue(client, 100)).decode("utf-8-sig"), newline="")))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([rows[0], *([row[0], code, *row[2:]] for row in rows[1:])])
    return text.getvalue().encode("utf-8-sig")


@pytest.mark.parametrize("report", ["R1", "202603010000001234", "=1+1", "-7", "'x", "'=1"])
def test_what_was_exported_comes_back(client: Client, report: str) -> None:
    add(client, report)
    assert read_csv(filled(client, "405 噪声")).decisions == [Decision(2, report, 405, "hotline")]
    assert read_csv(filled(client, "")).blank == 1


def test_a_file_in_the_other_encoding_or_order() -> None:
    content = "备注,event_type 类型,report_id\n好,405.0,R1\n,,\n无,101,R2\n".encode("gb18030")
    assert read_csv(content).decisions == [Decision(2, "R1", 405), Decision(4, "R2", 101)]


def test_faults_have_their_line_and_do_not_stop_the_import() -> None:
    lines = ["report_id,event_type", "R1,405", "R2,777", "R3,noise", ",405", "R1,405", "R1,101", "R4,101", "R5,"]
    sheet = read_csv("\n".join(lines).encode())
    assert [(decision.report_id, decision.event_type) for decision in sheet.decisions] == [("R1", 405), ("R4", 101)]
    assert [fault.line for fault in sheet.faults] == [3, 4, 5, 7]
    assert sheet.blank == 1


def test_as_a_chinese_spreadsheet_saves_it() -> None:
    """Byte-order mark, CRLF, full-width digits, a cell of two lines: rows are numbered as the clerk sees them."""
    lines = ["report_id,event_type 类型（请填代码）,text", 'R1,４０５,"上\n下"', "R2,４０５　噪声,x", "", "R3,七七七,x"]
    sheet = read_csv("\r\n".join(lines).encode("utf-8-sig"))
    assert sheet.decisions == [Decision(2, "R1", 405), Decision(3, "R2", 405)]
    assert [(fault.line, "七七七" in fault.reason) for fault in sheet.faults] == [(5, True)]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xff\xff", b"report_id\nR1\n", b"a" * 200_000])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UserFault):
        read_csv(content)


def test_a_decision_is_the_newest_snapshot_with_a_type(client: Client) -> None:
    add(client, "R1", status="reported")
    newest = add(client, "R1", status="accepted", updated_at=REPORTED + timedelta(hours=1))
    prepared = prepare(client, [Decision(2, "R1", 405)], NOW)
    ((key, value),) = prepared.messages
    sent = json.loads(value)
    report = msgspec.convert(sent, Report)
    assert key == b"330203001001"
    assert (report.report_id, report.status, report.event_type, report.handler) == ("R1", "accepted", 405, "ORG7")
    assert (report.reported_at, report.updated_at, report.due_at) == (REPORTED, NOW, None)
    assert report.event_id != newest
    assert report.location is not None
    assert (report.location.lon, report.location.crs) == (121.5, "wgs84")
    assert sent["渠道"] == "窗口"
    assert "reporter" not in sent
    assert "a hash" not in value.decode()


def test_a_due_time_of_its_own_is_kept_and_updated_at_increases(client: Client) -> None:
    due = REPORTED + timedelta(hours=5)
    late = NOW + timedelta(minutes=1)
    add(client, "R1", due_at=due, updated_at=late)
    report = msgspec.convert(message(snapshots(client, ["R1"])["R1"][0], 405, NOW), Report)
    assert report.due_at == due
    assert report.updated_at == late + timedelta(milliseconds=1)


def test_the_same_decision_is_the_same_message(client: Client) -> None:
    add(client, "R1")
    once, again, other = (
        json.loads(prepare(client, [Decision(2, "R1", code)], NOW).messages[0][1])["event_id"]
        for code in (405, 405, 101)
    )
    assert once == again != other


def test_people_are_not_overruled(client: Client) -> None:
    add(client, "same", decided_by="person", event_type=405)
    add(client, "other", decided_by="person", event_type=101)
    prepared = prepare(client, [Decision(2, "same", 405), Decision(3, "other", 405), Decision(4, "none", 405)], NOW)
    assert (prepared.messages, prepared.holding, [fault.line for fault in prepared.faults]) == ([], 1, [3, 4])
    assert "101" in prepared.faults[0].reason


def test_two_reports_under_one_id_need_their_source(client: Client) -> None:
    add(client, "R1")
    client.command("INSERT INTO events SELECT * REPLACE ('wechat' AS source, generateUUIDv4() AS event_id) FROM events")
    prepared = prepare(client, [Decision(2, "R1", 405), Decision(3, "R1", 405, "wechat")], NOW)
    assert [json.loads(value)["source"] for _, value in prepared.messages] == ["wechat"]
    assert [fault.line for fault in prepared.faults] == [2]
    assert {decision.source for decision in read_csv(filled(client, "405")).decisions} <= {"hotline", "wechat"}

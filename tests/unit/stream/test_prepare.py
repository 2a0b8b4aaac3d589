"""Prepare: every record becomes an event, a quarantine row or a counted resend, in the tables' own columns."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pipelines.classify import load_model
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import OffsetRange, Stream
from pipelines.load.rows import Isolated, Rows
from pipelines.places.grids import GridIndex, GridRow
from pipelines.privacy.hashes import payload_hash
from pipelines.stream.chunks import offsets_of
from pipelines.stream.prepare import Preparation, prepare
from schemas.event_types import event_type, known_codes
from schemas.migrations import migrations
from tests.support.messages import message, records

STREAM = Stream("t", "topic-id", 1, 1)
GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)


@pytest.fixture(scope="module")
def plan() -> Preparation:
    types = known_codes()
    context = Context(GridIndex.of([GRID]), types, datetime(2026, 3, 2, tzinfo=UTC))
    return Preparation(STREAM, Limits(), context, load_model(None), b"k" * 16)


def prepared(plan: Preparation, *values: Any) -> Rows:
    chunk = records(*values, first_offset=10, partition=3)
    return prepare(chunk, offsets_of(chunk), plan)


def _columns(table: str) -> set[str]:
    """Of the table as it was made, and those added since."""
    sql = "".join(migration.sql for migration in migrations())
    body = re.search(rf"TABLE IF NOT EXISTS {table}\n\((.*?)\n\)", sql, re.DOTALL)
    assert body
    made = {line.split()[0] for line in body[1].splitlines() if line.strip()}
    added = re.findall(rf"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS\s+(\w+) (?!\S+ (?:ALIAS|MATERIALIZED))", sql)
    return made | set(added)


def test_the_columns_are_the_tables(plan: Preparation) -> None:
    rows = prepared(plan, message(), b"{")
    assert set(rows.events.column_names) == _columns("events") - {"loaded_at"}
    assert set(rows.quarantine.column_names) == _columns("quarantine") - {"quarantined_at"}


def test_every_record_is_accounted_for(plan: Preparation) -> None:
    resend = message(event_id=message()["event_id"].upper())
    rows = prepared(plan, message(), resend, b"", message(grid_code="999999999999"), message())
    assert rows.offsets == OffsetRange(3, 10, 14)
    assert rows.events["kafka_offset"].to_pylist() == [10]
    assert rows.quarantine["kafka_offset"].to_pylist() == [12, 13]
    assert rows.duplicates == 2


def test_another_message_under_the_same_event_id_is_kept(plan: Preparation) -> None:
    other = message(report_id="R2", text="井盖丢失")
    rows = prepared(plan, message(), other, message(), other)
    assert rows.events["kafka_offset"].to_pylist() == [10, 11]
    assert len(set(rows.events["content"].to_pylist())) == 2
    assert rows.duplicates == 2


@pytest.mark.parametrize(
    "field", [name for name in message() if name not in ("schema_version", "grid_code", "event_id")]
)
def test_every_field_belongs_to_the_content(plan: Preparation, field: str) -> None:
    """Also what is masked, or stored as a hash."""
    changed = {"status": "closed", "source": "hotline", "severity": 3, "text": "x", "report_id": "R2"}
    times = {"reported_at": "2026-03-01T07:00:00+08:00", "updated_at": "2026-03-01T09:00:00+08:00"}
    assert prepared(plan, message(), message(**{field: (changed | times)[field]})).duplicates == 0
    assert prepared(plan, message(text="请回电13812345678"), message(text="请回电13812345679")).duplicates == 0


def test_a_resend_may_be_written_otherwise(plan: Preparation) -> None:
    """Spaces and the order of fields mean nothing."""
    backwards = dict(reversed(message(note={"a": 1, "b": 2}).items()))
    compact = json.dumps(message(note={"b": 2, "a": 1}), separators=(",", ":")).encode()
    assert prepared(plan, backwards, compact).duplicates == 1


def test_who_decides_the_type(plan: Preparation) -> None:
    by_person = message(event_type=405, source_type="sim/401")
    by_source = message(event_id="1" + message()["event_id"][1:], source_type="sim/401")
    by_text = message(event_id="2" + message()["event_id"][1:])
    events = prepared(plan, by_person, by_source, by_text).events
    assert events["event_type"].to_pylist()[:2] == [405, 401]
    assert events["decided_by"].to_pylist()[:2] == ["person", "crosswalk"]
    assert events["decided_by"][2].as_py() in ("model", "fallback")
    assert events["model_version"].to_pylist() == ["", "", plan.model.version]


def test_the_limit_is_the_types_unless_given(plan: Preparation) -> None:
    own = "2026-03-09T08:00:00+08:00"
    given = message(event_id="1" + message()["event_id"][1:], event_type=405, due_at=own)
    due = prepared(plan, message(event_type=405), given).events["due_at"].to_pylist()
    assert due[0] == datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=event_type(405).limit_hours)
    assert due[1] == datetime.fromisoformat(own)


def test_personal_data_goes_nowhere(plan: Preparation) -> None:
    secret = "13812345678"
    good = message(text=f"请回电{secret}", reporter="张三", note=f"tel {secret}", handler=secret)
    bad = message(text=f"请回电{secret}", reporter="张三", severity=9)
    rows = prepared(plan, good, bad, f'{{"text": "{secret}'.encode())
    stored = f"{rows.events.to_pylist()}{rows.quarantine.to_pylist()}"
    assert secret not in stored
    assert "张三" not in stored
    assert len(rows.events["reporter_hash"][0].as_py()) == 32


def test_no_plain_hash_of_a_message_is_stored(plan: Preparation) -> None:
    value = b'{"text": "13812345678'
    row = prepared(plan, value).quarantine.to_pylist()[0]
    for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s", "sha3_256"):
        digest = hashlib.new(algorithm, value).hexdigest()
        assert not any(digest[:16] in str(stored) for stored in row.values())
    assert row["payload_sha256"] == payload_hash(plan.hash_key, value)


def test_own_patterns_hold_for_the_detail_of_a_reject(plan: Preparation) -> None:
    own = replace(plan, mask_patterns=(("工号", r"(?<!\d)4711\d{4}(?!\d)"),))
    rows = prepared(own, message(schema_version=47112222))
    assert "4711" not in str(rows.quarantine.to_pylist())
    isolated = {0: Isolated("KeyError: " + "x" * 483 + "47112222", bare=True)}
    rows = prepare(records({"a": 1}), OffsetRange(0, 0, 0), own, isolated)
    assert "4711" not in rows.quarantine["detail"][0].as_py()


def test_steps_of_a_report_whose_id_is_masked_stay_together(plan: Preparation) -> None:
    numbers = ("13800138000-1", "13800138001-1", "13800138000-1")
    steps = [message(event_id=str(uuid4()), report_id=number) for number in numbers]
    stored = prepared(plan, *steps).events["report_id"].to_pylist()
    assert stored[0] == stored[2] != stored[1]
    assert "138001" not in str(stored)


def test_an_isolated_message_is_hashed_too(plan: Preparation) -> None:
    rows = prepare(records({"a": 1}), OffsetRange(0, 0, 0), plan, {0: Isolated("why", bare=True)})
    row = rows.quarantine.to_pylist()[0]
    assert (row["payload"], row["payload_bytes"]) == ("", 8)
    assert row["payload_sha256"] == payload_hash(plan.hash_key, b'{"a": 1}')


def test_warnings_are_kept_with_the_event(plan: Preparation) -> None:
    at_once = message(event_id="1" + message()["event_id"][1:], status="closed", text="123", handler="甲科")
    rows = prepared(plan, message(), at_once, b"{")
    warned = ["handled_at_once", "text_too_short", "text_without_words"]
    assert rows.events["warnings"].to_pylist() == [[], warned]
    assert rows.warned == 1
    assert rows.quarantine.num_rows == 1


def test_text_is_judged_as_it_is_stored(plan: Preparation) -> None:
    """A number alone becomes 「[手机号]」, and so the tables say the same as the stream."""
    assert prepared(plan, message(text="13812345678")).events["warnings"].to_pylist() == [[]]


def test_how_far_outside_the_county(plan: Preparation) -> None:
    inside = {"location": {"lon": 121.55, "lat": 29.87, "crs": "wgs84"}}
    outside = {"location": {"lon": 121.55, "lat": 31.0, "crs": "wgs84"}, "event_id": "1" + message()["event_id"][1:]}
    events = prepared(plan, message(**inside), message(**outside)).events
    assert events["outside_m"][0].as_py() is None
    assert 90_000 < events["outside_m"][1].as_py() < 130_000
    assert events["warnings"].to_pylist() == [[], ["outside_county"]]


def test_what_was_masked_is_counted_by_kind(plan: Preparation) -> None:
    secret = "请回电13812345678"
    again = message(text=secret, event_id="1" + message()["event_id"][1:], note="a@b.cn")
    rows = prepared(plan, message(text=secret), again, message(text=secret, severity=9))
    assert rows.masked == {"手机号": 3, "邮箱": 1}


def test_only_rejects_and_only_good(plan: Preparation) -> None:
    assert prepared(plan, b"", None).events.num_rows == 0
    assert prepared(plan, message()).quarantine.num_rows == 0

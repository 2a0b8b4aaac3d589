"""A message that the program cannot process goes to quarantine alone; a program that fails on good messages stops."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipelines.classify import load_model
from pipelines.errors import Defect
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import Stream
from pipelines.load.rows import Rows
from pipelines.places.grids import GridIndex, GridRow
from pipelines.stream import isolate
from pipelines.stream import prepare as module
from pipelines.stream.chunks import offsets_of
from pipelines.stream.isolate import isolate_refused, prepare_or_isolate
from pipelines.stream.prepare import Preparation, prepare
from schemas.event_types import known_codes
from tests.support.messages import message, records

GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)
POISON = "毒"


@pytest.fixture(scope="module")
def plan() -> Preparation:
    context = Context(GridIndex.of([GRID]), known_codes(), datetime(2026, 3, 2, tzinfo=UTC))
    return Preparation(Stream("t", "id", 1, 1), Limits(), context, load_model(None), b"k" * 16)


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The program has a bug: it fails on every text that holds one of these."""
    fails_on, suspect = [POISON], module.suspect

    def failing(texts: pa.Array) -> pa.Array:
        if any(word in text for text in texts.to_pylist() for word in fails_on):
            raise IndexError("a bug")
        return suspect(texts)

    monkeypatch.setattr(module, "suspect", failing)
    yield fails_on


def chunk(*texts: str, first: int = 100) -> pa.Table:
    return records(
        *(message(text=text, event_id=f"00000000-0000-4000-8000-{i:012d}") for i, text in enumerate(texts)),
        first_offset=first,
    )


def processed(plan: Preparation, table: pa.Table) -> Rows:
    return prepare_or_isolate(table, offsets_of(table), plan)


def test_the_message_alone_goes_to_quarantine_with_the_place_in_the_code(plan: Preparation, bug: list[str]) -> None:
    texts = ["路灯不亮"] * 40
    texts[7], texts[31] = f"有{POISON}一", f"{POISON} 13812345678"
    rows = processed(plan, chunk(*texts))
    assert rows.events.num_rows == 38
    assert rows.quarantine["kafka_offset"].to_pylist() == [107, 131]
    assert rows.quarantine["reason"].to_pylist() == ["unforeseen"] * 2
    assert rows.quarantine["stage"].to_pylist() == ["isolate"] * 2
    assert rows.quarantine["detail"].to_pylist()[0].startswith("IndexError: a bug (test_isolate.py:")
    assert "13812345678" not in rows.quarantine["payload"].to_pylist()[1]
    assert processed(plan, chunk(*texts)).events.equals(rows.events), "a replay isolates the same messages"


def test_a_message_alone_in_its_chunk_is_isolated_too(plan: Preparation, bug: list[str]) -> None:
    rows = processed(plan, chunk(POISON))
    assert (rows.events.num_rows, rows.quarantine.num_rows, list(rows.isolated)) == (0, 1, [100])


def test_a_bug_that_hits_good_messages_isolates_none(plan: Preparation, bug: list[str]) -> None:
    bug[:] = [""]
    with pytest.raises(Defect, match="a good message fails too"):
        processed(plan, chunk("路灯不亮", "井盖缺失"))


def test_too_many_are_a_bug_and_not_their_fault(
    plan: Preparation, bug: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "MOST", 3)
    with pytest.raises(Defect, match="more than 3 messages"):
        processed(plan, chunk(*[POISON] * 5))


def test_no_payload_is_kept_where_masking_itself_fails(plan: Preparation, monkeypatch: pytest.MonkeyPatch) -> None:
    original = module.quarantine_row

    def failing(key: bytes | None, value: bytes | None, *rest: Any) -> dict[str, Any]:
        if value and b"13812345678" in value:
            raise RecursionError
        return original(key, value, *rest)

    monkeypatch.setattr(module, "quarantine_row", failing)
    rows = processed(plan, records(message(text="好"), b'{"phone": "13812345678"', b"{"))
    assert rows.events.num_rows == 1
    row = next(row for row in rows.quarantine.to_pylist() if row["reason"] == "unforeseen")
    assert (row["payload"], row["payload_bytes"], row["kafka_offset"]) == ("", 23, 1)


def test_deep_nesting_below_the_readers_limit_is_refused(plan: Preparation) -> None:
    deep = b'{"schema_version": 1, "x": ' + b"[" * 900 + b"]" * 900 + b"}"
    rows = processed(plan, records(deep, message()))
    assert rows.quarantine["reason"].to_pylist() == ["too_deep"]
    assert not rows.isolated


def refusing(word: str) -> Any:
    """A ClickHouse that refuses rows of this event type or payload."""

    def probe(rows: pa.Table) -> None:
        column = rows["text"] if "text" in rows.column_names else rows["payload"]
        if any(word in value for value in column.to_pylist()):
            raise ValueError("ClickHouse 6 CANNOT_PARSE_TEXT")

    return probe


def test_a_value_that_clickhouse_refuses_costs_its_message(plan: Preparation) -> None:
    table = chunk("路灯不亮", "怪值", "井盖缺失")
    rows = isolate_refused(table, prepare(table, offsets_of(table), plan), plan, "events", refusing("怪值"))
    assert (rows.events.num_rows, list(rows.isolated)) == (2, [101])
    again = isolate_refused(table, rows, plan, "quarantine", refusing("怪值"))
    assert again.isolated[101].bare
    assert "CANNOT_PARSE_TEXT" in again.isolated[101].detail
    assert again.quarantine["payload"].to_pylist() == [""]


def test_tables_that_do_not_fit_the_program_isolate_none(plan: Preparation) -> None:
    table = chunk("路灯不亮", "井盖缺失")
    with pytest.raises(Defect, match="not for one message"):
        isolate_refused(table, prepare(table, offsets_of(table), plan), plan, "events", refusing(""))

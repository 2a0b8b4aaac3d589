"""The loader against a real ClickHouse: a range tried twice, in any way, is in once."""

from dataclasses import replace
from datetime import UTC, date, datetime
from time import monotonic

import pytest

from pipelines.classify import load_model
from pipelines.errors import Fenced, TransientFault
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.load import ledger
from pipelines.load.ledger import Phase
from pipelines.load.loader import Loader
from pipelines.load.ranges import OffsetRange, Stream, Totals
from pipelines.load.rows import Rows
from pipelines.places.grids import GridIndex, GridRow
from pipelines.services.clickhouse import connect
from pipelines.stream.chunks import offsets_of
from pipelines.stream.prepare import Preparation, prepare
from tests.support.forwarder import Forwarder
from tests.support.messages import message, records
from tests.support.stack import Stack

GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)
STREAM = Stream("t", "11111111-1111-1111-1111-111111111111", 1, 1)


@pytest.fixture(scope="module")
def plan() -> Preparation:
    context = Context(GridIndex.of([GRID]), frozenset({405}), datetime(2026, 3, 2, tzinfo=UTC))
    return Preparation(STREAM, Limits(), context, load_model(None), b"k" * 16)


def rows(plan: Preparation, count: int, first: int = 0) -> Rows:
    """A range of `count` records: good ones of two days, every fifth one bad."""
    days = ("2026-02-28T08:00:00+08:00", "2026-03-01T08:00:00+08:00")
    values = [
        b"{"
        if i % 5 == 4
        else message(event_id=f"00000000-0000-4000-8000-{i:012d}", report_id=f"R{i}", reported_at=days[i % 2])
        for i in range(first, first + count)
    ]
    chunk = records(*values, first_offset=first)
    return prepare(chunk, offsets_of(chunk), plan)


def progress_of(stack: Stack) -> tuple[object, object]:
    progress = ledger.progress(stack.loader, STREAM)
    return progress.high_water, progress.begun


def load(stack: Stack, rows: Rows, batch_id: int = 1, unfinished: bool = False) -> Totals:
    return Loader(stack.loader, STREAM, batch_id).load(rows, unfinished, monotonic(), Totals())


def counts(stack: Stack) -> dict[str, object]:
    """Rows as they lie on disk, before any merge could hide a double."""
    tables = ("events", "quarantine", "report_states", "report_handling")
    return {table: stack.scalar(f"SELECT count() FROM {table}") for table in tables}


EXPECTED = {"events": 40, "quarantine": 10, "report_states": 40, "report_handling": 40}


def test_the_same_range_twice_is_in_once(stack: Stack, plan: Preparation) -> None:
    for batch in (1, 1, 2):
        load(stack, rows(plan, 50), batch)
    assert counts(stack) == EXPECTED
    assert progress_of(stack) == ({0: 49}, {})


def test_a_range_that_broke_off_is_completed(stack: Stack, plan: Preparation) -> None:
    """The server took part of it, then everything died: no AFTER row, no token to rely on."""
    whole = rows(plan, 50)
    ledger.record(
        stack.loader,
        STREAM,
        whole.offsets,
        Phase.BEFORE,
        batch_id=1,
        first_kafka_time=whole.first_time,
        last_kafka_time=whole.last_time,
    )
    stack.loader.insert_arrow("events", whole.events.slice(0, 15))
    progress = ledger.progress(stack.loader, STREAM)
    assert tuple(progress.begun) == (OffsetRange(0, 0, 49),)
    load(stack, whole, 2, progress.unfinished(whole.offsets))
    assert counts(stack)["events"] == 40
    assert stack.scalar("SELECT count() FROM reports") == 40
    assert progress_of(stack) == ({0: 49}, {})


def test_what_the_views_missed_is_derived_again(stack: Stack, plan: Preparation) -> None:
    """The server died between the parts of one insert: events are in, their reports are not."""
    whole = rows(plan, 50)
    load(stack, whole)
    for table in ("report_states", "report_handling"):
        stack.loader.command(f"TRUNCATE TABLE {table}")
    load(stack, whole, 2, unfinished=True)
    assert stack.scalar("SELECT count() FROM reports") == 40
    assert counts(stack)["events"] == 40


def test_a_server_that_is_gone_is_a_transient_fault(
    stack: Stack, plan: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.load.loader.INSERT_RETRY_SECONDS", 1.0)
    target = stack.settings.clickhouse("loader")
    with Forwarder(int(target.url.rpartition(":")[2])) as way:
        client = connect(replace(target, url=f"http://127.0.0.1:{way.port}"))
        loader = Loader(client, STREAM, 1)
        way.cut()
        with pytest.raises(TransientFault, match="ClickHouse"):
            loader.load(rows(plan, 5), False, monotonic(), Totals())
        assert counts(stack)["events"] == 0
        way.restore()
        loader.load(rows(plan, 5), False, monotonic(), Totals())
    assert counts(stack)["events"] == 4


def test_the_newest_writer_fences_the_others(stack: Stack) -> None:
    first = ledger.acquire(stack.loader, "t", "id")
    second = ledger.acquire(stack.loader, "t", "id")
    other_topic = ledger.acquire(stack.loader, "u", "id2")
    assert (first.writer, second.writer, other_topic.writer) == (1, 2, 1)
    assert first.token(OffsetRange(0, 1, 2)) == second.token(OffsetRange(0, 1, 2))
    ledger.still_mine(stack.loader, second)
    with pytest.raises(Fenced, match="writer 2 has taken over"):
        ledger.still_mine(stack.loader, first)

"""A range that is tried again after something changed: every message is in exactly one table, and the ledger agrees."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from time import monotonic
from typing import Any, cast

import pytest

from pipelines.classify import load_model
from pipelines.errors import TransientFault
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.load import ledger
from pipelines.load.loader import BlockRefused, Loader
from pipelines.load.ranges import Stream, Totals
from pipelines.load.rows import Rows
from pipelines.places.grids import GridIndex, GridRow
from pipelines.stream.chunks import offsets_of
from pipelines.stream.prepare import Preparation, prepare
from tests.support.dying import STEPS, DyingClient
from tests.support.messages import message, records
from tests.support.stack import Stack

STREAM = Stream("t", "11111111-1111-1111-1111-111111111111", 1, 1)
NOW = datetime(2026, 3, 1, 0, 10, tzinfo=UTC)
GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)
OTHER = GridRow("330203001002", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)

Change = Callable[[Preparation], Preparation]


def plan() -> Preparation:
    context = Context(GridIndex.of([GRID], "one grid"), frozenset({405}), NOW)
    return Preparation(STREAM, Limits(), context, load_model(None), b"k" * 16, basis={"registry": "one grid"})


def later(before: Preparation) -> Preparation:
    return replace(before, context=replace(before.context, now=NOW + timedelta(minutes=10)))


def wider(before: Preparation) -> Preparation:
    """The registry has one grid more."""
    grids = GridIndex.of([GRID, OTHER], "two grids")
    return replace(before, context=replace(before.context, grids=grids), basis={"registry": "two grids"})


def narrower(before: Preparation) -> Preparation:
    """The rules refuse what they accepted: the limit is smaller."""
    return replace(before, limits=Limits(max_bytes=400), basis={"limits": "400 bytes"})


def other_key(before: Preparation) -> Preparation:
    return replace(before, hash_key=b"q" * 16, basis={"key": "q"})


def other_masks(before: Preparation) -> Preparation:
    return replace(before, mask_patterns=(("楼", "楼道"),), basis={"masks": "楼"})


CHANGES = {"clock": later, "registry": wider, "rules": narrower, "key": other_key, "masks": other_masks}


def rows(plan: Preparation) -> Rows:
    """Ten messages: good ones, one of the future, one of another grid, a long one, a resend, one that is no JSON."""

    def body(number: int, **changes: Any) -> dict[str, Any]:
        return message(event_id=f"00000000-0000-4000-8000-{number:012d}", report_id=f"R{number}", **changes)

    values = [body(i, reporter=f"citizen {i}") for i in range(5)]
    values += [body(5, updated_at="2026-03-01T08:16:00+08:00"), body(6, grid_code="330203001002")]
    values += [body(7, text="长" * 100), body(0, reporter="citizen 0"), b"{"]
    chunk = records(*values)
    return prepare(chunk, offsets_of(chunk), plan)


def load(client: Any, rows: Rows, unfinished: bool, stream: Stream = STREAM) -> Totals:
    return Loader(cast(Any, client), stream, 1).load(rows, unfinished, monotonic(), Totals())


def where(stack: Stack, topic_id: str = STREAM.topic_id) -> dict[int, set[str]]:
    """The tables that hold each offset, as often as they do."""
    query = """
        SELECT 'events', kafka_offset FROM events WHERE topic_id = {id:String}
        UNION ALL SELECT 'quarantine', kafka_offset FROM quarantine WHERE topic_id = {id:String}"""
    stored = [(int(offset), str(table)) for table, offset in stack.engineer.query(query, {"id": topic_id}).result_rows]
    assert len(stored) == len(set(stored)), "no row twice"
    return {offset: {table for at, table in stored if at == offset} for offset, _ in stored}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_lost_or_doubled(stack: Stack, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.load.loader.INSERT_RETRY_SECONDS", 0.0)
    stack.loader.command("SYSTEM STOP MERGES")
    for number, (step, done) in enumerate(product(STEPS, (False, True))):
        stream = replace(STREAM, topic_id=f"{number:08}-1111-1111-1111-111111111111")
        first = rows(replace(plan(), stream=stream))
        with pytest.raises(TransientFault):
            load(DyingClient(stack.loader, step, done), first, False, stream)
        progress = ledger.progress(stack.loader, stream)
        if progress.next_offset(0) != 10:  # else it was finished, and the next try skips it
            second = replace(CHANGES[change](plan()), stream=stream)
            judged_at = progress.judged_at(first.offsets, second.context.now)
            retried = rows(replace(second, context=replace(second.context, now=judged_at)))
            load(stack.loader, retried, progress.unfinished(first.offsets), stream)
        require_each_once(stack, stream, f"{change}, {step}, {'done' if done else 'not done'}")


def require_each_once(stack: Stack, stream: Stream, case: str) -> None:
    stored = where(stack, stream.topic_id)
    assert all(len(tables) == 1 for tables in stored.values()), (case, stored)
    assert set(range(10)) - set(stored) == {8}, (case, "the resend of offset 0")
    tables = [next(iter(names)) for names in stored.values()]
    expected = Totals(tables.count("events"), tables.count("quarantine"), 1)
    assert ledger.progress(stack.loader, stream).totals == {0: expected}, case
    counts = (
        "SELECT DISTINCT good, quarantined, duplicates FROM ledger WHERE phase = 'after' AND topic_id = {id:String}"
    )
    assert stack.engineer.query(counts, {"id": stream.topic_id}).result_rows == [tuple(expected)], case


def test_a_retry_is_judged_by_the_time_of_the_first_try(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.load.loader.INSERT_RETRY_SECONDS", 0.0)
    first = rows(plan())
    with pytest.raises(TransientFault):
        load(DyingClient(stack.loader, "quarantine", done=False), first, unfinished=False)
    progress = ledger.progress(stack.loader, STREAM)
    assert progress.judged_at(first.offsets, datetime.now(UTC)) == NOW
    assert progress.begun == {first.offsets: NOW}


def test_a_difference_between_tries_is_recorded(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.load.loader.INSERT_RETRY_SECONDS", 0.0)
    with pytest.raises(TransientFault):
        load(DyingClient(stack.loader, "events", done=True), rows(plan()), unfinished=False)
    load(stack.loader, rows(wider(plan())), unfinished=True)
    recorded = stack.engineer.query(
        "SELECT phase, basis['registry'], digests['events'] FROM ledger ORDER BY written_at, phase"
    ).result_rows
    assert [row[:2] for row in recorded] == [("before", "one grid"), ("before", "two grids"), ("after", "two grids")]
    assert recorded[0][2] != recorded[1][2] == recorded[2][2]


def test_a_refused_value_is_a_fault_of_its_own(stack: Stack) -> None:
    good = rows(plan())
    ids = [f"{value}\n" if i == 3 else value for i, value in enumerate(good.events["event_id"].to_pylist())]
    spoiled = good.events.set_column(good.events.schema.get_field_index("event_id"), "event_id", [ids])
    with pytest.raises(BlockRefused, match="events"):
        load(stack.loader, good._replace(events=spoiled), unfinished=False)
    assert where(stack) == {}

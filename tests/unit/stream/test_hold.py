"""What a held stream says, the order to go on, and which chunks the breaker lets through."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import UserFault
from pipelines.load.ranges import LoadProgress, OffsetRange, Stream
from pipelines.load.rows import Rows
from pipelines.services.clickhouse import ClickHouse
from pipelines.stream.breaker import Breaker, PackedRefused
from pipelines.stream.config import StreamConfig
from pipelines.stream.hold import BreakerOpen, Held, give_order, read_order
from pipelines.stream.state import read_state, write_state
from pipelines.stream.task import Guard, Work

NOW = datetime.now(UTC)
HELD = Held(2, 1000, 1499, 500, 250, {"not_json": 240, "unknown_grid": 9, "empty": 1, "too_deep": 8})


def work(progress: LoadProgress = LoadProgress(), **known: Any) -> Work:  # noqa: B008 - frozen
    config = StreamConfig(
        "k:1",
        "t",
        ClickHouse("http://c:1", "u", "p", "d"),
        "c",
        (),
        Path("s"),
        b"k" * 16,
        breaker=Breaker(0.6, 10, 8, 5),
    )
    grids: Any = None  # the breaker does not look at it
    return Work(config, Stream("t", "id", 1, 1), progress, {}, grids, 0, datetime.now(UTC), **known)


def chunk(first: int, refused: list[int], count: int = 8) -> Rows:
    quarantine = pa.table({"kafka_offset": pa.array(refused, pa.uint64()), "reason": ["not_json"] * len(refused)})
    return Rows(OffsetRange(0, first, first + count - 1), pa.table({}), quarantine, 0, NOW, {}, NOW, NOW)


def test_it_tells_where_how_many_and_the_most_frequent_reasons() -> None:
    assert str(BreakerOpen([HELD])) == (
        "circuit breaker open: partition 2: 250 of 500 messages up to offset 1499 refused (50%): "
        "not_json 240, unknown_grid 9, too_deep 8; loaded up to offset 999"
    )


def test_the_state_file_keeps_what_is_held(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", condition="held", reason="r", pid=1, held=(HELD,))
    state = read_state(tmp_path / "s.json")
    assert state is not None and (state.condition, state.held) == ("held", (HELD,))


def test_an_order_reaches_as_far_as_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    assert read_order(path, "id") is None
    give_order(path, "id", {0: 100, 1: 50})
    give_order(path, "id", {0: 70, 2: 5})
    order = read_order(path, "id")
    assert order is not None and order.counts_from == {0: 100, 1: 50, 2: 5}
    assert read_order(path, "another topic's") is None
    path.write_text("{")
    with pytest.raises(UserFault, match="delete it"):
        read_order(path, "id")


def test_a_chunk_that_opens_the_breaker_is_not_loaded() -> None:
    guard = Guard(work(), 0)
    guard.watch(chunk(0, [0, 1]))
    with pytest.raises(BreakerOpen) as caught:
        guard.watch(chunk(8, [10, 11, 12, 13, 14, 15]))
    [held] = caught.value.held
    assert (held.next_offset, held.opened_at, held.messages, held.refused) == (8, 14, 5, 5)


def test_the_messages_before_count_across_micro_batches() -> None:
    Guard(work(), 0).watch(chunk(8, [8, 9]))
    with pytest.raises(BreakerOpen):
        Guard(work(refused={0: PackedRefused.of(np.array([True, True, True]))}), 0).watch(chunk(8, [8, 9]))


def test_accepted_messages_and_ranges_begun_before_pass() -> None:
    everything = list(range(8, 16))
    Guard(work(counts_from={0: 16}), 0).watch(chunk(8, everything))
    Guard(work(LoadProgress(begun={OffsetRange(0, 8, 15): None})), 0).watch(chunk(8, everything))
    assert work(counts_from={0: 16}).edges(0) == (16,)

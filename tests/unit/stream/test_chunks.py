"""Chunks: the same offsets are always cut the same way, however Spark batches them."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import PositionFault
from pipelines.load.ranges import LoadProgress, OffsetRange
from pipelines.stream.chunks import behind, cut, offsets_of
from tests.support.messages import records


def _batches(first: int, last: int, size: int) -> list[pa.RecordBatch]:
    return records(*[b"x"] * (last - first + 1), first_offset=first).to_batches(max_chunksize=size)


def _ranges(first: int, last: int, batch: int, size: int, edges: tuple[int, ...] = ()) -> list[OffsetRange]:
    return [offsets_of(chunk) for chunk in cut(_batches(first, last, batch), size, edges)]


@given(
    st.integers(0, 50),
    st.integers(1, 80),
    st.integers(1, 30),
    st.integers(1, 20),
    st.sets(st.integers(0, 130), max_size=3),
)
def test_cuts_do_not_depend_on_batches(first: int, count: int, batch: int, size: int, edges: set[int]) -> None:
    last, marks = first + count - 1, tuple(sorted(edges))
    ranges = _ranges(first, last, batch, size, marks)
    assert ranges == _ranges(first, last, count, size, marks)
    assert [offset for r in ranges for offset in range(r.first, r.last + 1)] == list(range(first, last + 1))
    inner = {r.first for r in ranges[1:]}
    assert inner == {edge for edge in range(first + 1, last + 1) if edge % size == 0 or edge in edges}


def test_a_range_begun_before_is_cut_out_again() -> None:
    begun = LoadProgress({0: 9}, {OffsetRange(0, 12, 17): None})
    assert _ranges(10, 30, 7, 100, begun.edges(0)) == [
        OffsetRange(0, 10, 11),
        OffsetRange(0, 12, 17),
        OffsetRange(0, 18, 30),
    ]
    assert begun.unfinished(OffsetRange(0, 17, 20))
    assert not begun.unfinished(OffsetRange(0, 18, 20))
    assert not begun.unfinished(OffsetRange(1, 12, 17))


def test_missing_offsets_stop_the_stream() -> None:
    table = pa.concat_tables([records(b"x", first_offset=1), records(b"x", first_offset=3)])
    with pytest.raises(PositionFault, match=r"2 messages for offsets 1\.\.3"):
        offsets_of(table)


def test_what_is_loaded_is_dropped_and_a_gap_stops() -> None:
    chunk = records(b"a", b"b", b"c", first_offset=5)
    assert offsets_of(behind(chunk, 6)) == OffsetRange(0, 6, 7)
    assert behind(chunk, 8).num_rows == 0
    with pytest.raises(PositionFault, match="before offset 4, but the stream goes on at 5"):
        behind(chunk, 4)

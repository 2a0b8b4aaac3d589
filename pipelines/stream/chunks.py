"""Cut a partition's records into chunks that a replay cuts the same way. Pure.

A chunk ends where the offset is a multiple of `size`, never by Arrow batch or by time, and at the
edges of ranges that an earlier process began without finishing: the same offsets always make the
same chunk, and so the same deduplication token.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipelines.errors import PositionFault
from pipelines.load.ranges import OffsetRange


def chunk_end(first: int, size: int, edges: Sequence[int]) -> int:
    """The offset behind the chunk that starts at `first`."""
    return min([(first // size + 1) * size, *(edge for edge in edges if edge > first)])


def cut(batches: Iterable[pa.RecordBatch], size: int, edges: Sequence[int] = ()) -> Iterator[pa.Table]:
    """Tables of consecutive records, in offset order; `batches` hold one partition's records in order.

    Memory: never more than one chunk and one Arrow batch.
    """
    held: list[pa.RecordBatch] = []
    end: int | None = None
    for batch in batches:
        rest = batch
        while rest.num_rows:
            offsets = rest["offset"].to_numpy()
            if end is None:
                end = chunk_end(int(offsets[0]), size, edges)
            inside = int(np.searchsorted(offsets, end))
            if inside:
                held.append(rest.slice(0, inside))
            rest = rest.slice(inside)
            if rest.num_rows:
                yield pa.Table.from_batches(held)
                held, end = [], None
    if held:
        yield pa.Table.from_batches(held)


def offsets_of(chunk: pa.Table) -> OffsetRange:
    """The chunk's range.

    Raises:
        PositionFault: an offset inside the range is missing or doubled, or partitions are mixed.
    """
    offsets = chunk["offset"].to_numpy()
    partitions = np.unique(chunk["partition"].to_numpy())
    found = OffsetRange(int(partitions[0]), int(offsets[0]), int(offsets[-1]))
    if len(partitions) > 1:
        raise PositionFault(f"一个任务收到多个分区 one task was given partitions {partitions.tolist()}; it must be one")
    if len(offsets) != found.last - found.first + 1 or (np.diff(offsets) != 1).any():
        raise PositionFault(
            f"分区 partition {found.partition}: {len(offsets)} messages for offsets {found.first}..{found.last}; "
            "主题不得压实，也不得用事务写入 the topic must not be compacted or written in transactions"
        )
    return found


def behind(chunk: pa.Table, next_offset: int) -> pa.Table:
    """The chunk's records from `next_offset` on: what the ledger does not hold yet.

    Raises:
        PositionFault: the chunk begins after `next_offset`, so messages between would be lost.
    """
    offsets = chunk["offset"].to_numpy()
    if int(offsets[0]) > next_offset:
        raise PositionFault(
            f"分区 partition {int(chunk['partition'][0].as_py())}: 账本与检查点不符 the ledger ends before offset "
            f"{next_offset}, but the stream goes on at {int(offsets[0])}"
        )
    return chunk.slice(int(np.searchsorted(offsets, next_offset)))

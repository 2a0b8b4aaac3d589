"""What runs in a Spark task: one Kafka partition's share of a micro-batch, chunk by chunk.

Before a chunk is loaded the circuit breaker looks at what was refused; when it opens, nothing of the chunk is loaded.
Faults come back as rows, not as exceptions: the driver must tell a service that is down (wait and try again) from a
position that is wrong (stop) and from a defect of ours, and an exception reaches it only as text.
While one chunk is inserted, the next one is decoded.
"""

import functools
import itertools
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

import msgspec
import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyspark import Broadcast

from pipelines.classify import current_model
from pipelines.errors import Defect, PositionFault, TransientFault
from pipelines.intake.decode import RECORD
from pipelines.intake.rules.columns import Context
from pipelines.load.loader import Loader
from pipelines.load.ranges import LoadProgress, OffsetRange, Stream
from pipelines.load.rows import Rows
from pipelines.places.grids import GridIndex
from pipelines.services.clickhouse import ClickHouse, connect
from pipelines.stream.breaker import Refused
from pipelines.stream.chunks import behind, cut, offsets_of
from pipelines.stream.config import StreamConfig
from pipelines.stream.hold import BreakerOpen, Held
from pipelines.stream.prepare import Preparation, prepare
from schemas.event_types import known_codes

# One row a chunk. `refused`: one byte a message for the breaker's memory, the latest ones of the chunk.
# `fault` is '' or 'transient', 'position', 'held' or 'defect'; then `detail` says what ('held': a `Held` as JSON).
RESULT = pa.schema(
    [
        ("partition", pa.int32()),
        ("first_offset", pa.int64()),
        ("last_offset", pa.int64()),
        ("good", pa.int64()),
        ("quarantined", pa.int64()),
        ("duplicates", pa.int64()),
        ("refused", pa.binary()),
        ("fault", pa.string()),
        ("detail", pa.string()),
    ]
)
RESULT_DDL = (
    "partition int, first_offset long, last_offset long, good long, quarantined long, duplicates long, "
    "refused binary, fault string, detail string"
)
_NONE = np.zeros(0, np.bool_)

log = logging.getLogger("gridstream.task")


@dataclass(frozen=True)
class Work:
    """A micro-batch's orders to its tasks. `grids`: the registry, which Spark brings to each worker once.
    `earliest`: the offset at which a partition that the ledger does not know must begin. `counts_from`, `refused`:
    by partition, the offset from which on messages count for the breaker, and what it remembers of those loaded."""

    config: StreamConfig
    stream: Stream
    progress: LoadProgress
    earliest: dict[int, int]
    grids: Broadcast[GridIndex]
    batch_id: int
    now: datetime
    counts_from: dict[int, int] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)

    def edges(self, partition: int) -> tuple[int, ...]:
        """Offsets at which chunks are cut besides the multiples of `chunk_rows`."""
        return (*self.progress.edges(partition), self.counts_from.get(partition, 0))

    def due(self, partition: int, first: int) -> int:
        """The offset that must come next in `partition`, whose records begin at `first`."""
        known = self.progress.next_offset(partition)
        return min(first, self.earliest.get(partition, 0)) if known is None else known


def run(batches: Iterable[pa.RecordBatch], work: Work) -> Iterator[pa.RecordBatch]:
    """Load one partition's records; yields one row of `RESULT` per chunk, a fault last."""
    try:
        for rows in _chunks(batches, work):
            counts = rows.events.num_rows, rows.quarantine.num_rows, rows.duplicates
            yield _result(rows.offsets, *counts, work.config.breaker.remember(_NONE, refused_of(rows)).tobytes())
    except BreakerOpen as fault:
        yield _result(OffsetRange(-1, -1, -1), fault="held", detail=msgspec.json.encode(fault.held[0]).decode())
    except TransientFault as fault:
        yield _result(OffsetRange(-1, -1, -1), fault="transient", detail=str(fault))
    except PositionFault as fault:
        yield _result(OffsetRange(-1, -1, -1), fault="position", detail=str(fault))
    except Exception as error:
        log.exception("an error that nobody foresaw")
        yield _result(OffsetRange(-1, -1, -1), fault="defect", detail=str(Defect.of(error)))


def _chunks(batches: Iterable[pa.RecordBatch], work: Work) -> Iterator[Rows]:
    filled = _filled(batches)
    first = next(filled, None)
    if first is None:
        return
    partition, offset = int(first["partition"][0].as_py()), int(first["offset"][0].as_py())
    due = work.due(partition, offset)
    loader = Loader(_client(work.config.clickhouse), work.stream, work.batch_id)
    plan, guard = _plan(work), Guard(work, partition)
    pending: Future[Rows] | None = None
    with ThreadPoolExecutor(1) as inserter:
        for chunk in cut(itertools.chain((first,), filled), work.config.chunk_rows, work.edges(partition)):
            started, fresh = monotonic(), behind(chunk, due)
            if not fresh.num_rows:
                continue
            rows = prepare(fresh, offsets_of(fresh), plan)
            due = rows.offsets.last + 1
            if pending:
                yield pending.result()
                pending = None
            guard.watch(rows)
            pending = inserter.submit(_load, loader, rows, work, started)
        if pending:
            yield pending.result()


class Guard:
    """The circuit breaker of one partition, over the chunks of a micro-batch."""

    def __init__(self, work: Work, partition: int) -> None:
        self._work = work
        self._counts_from = work.counts_from.get(partition, 0)
        self._before = work.refused.get(partition, _NONE)

    def watch(self, rows: Rows) -> None:
        """Take note of a chunk that is to be loaded next.

        Raises:
            BreakerOpen: it must not be. A range that was begun before is let through, to be finished.
        """
        if rows.offsets.first < self._counts_from:
            return
        refused, breaker = refused_of(rows), self._work.config.breaker
        opening = breaker.opens(self._before, refused)
        if opening and not self._work.progress.unfinished(rows.offsets):
            partition, first, _ = rows.offsets
            reasons = Counter(rows.quarantine["reason"].to_pylist())
            raise BreakerOpen([Held(partition, first, first + opening.at, *opening[1:], dict(reasons))])
        self._before = breaker.remember(self._before, refused)


def refused_of(rows: Rows) -> Refused:
    """One per message of the range: whether it goes to quarantine."""
    refused = np.zeros(rows.offsets.last - rows.offsets.first + 1, np.bool_)
    refused[rows.quarantine["kafka_offset"].to_numpy().astype(np.int64) - rows.offsets.first] = True
    return refused


def _filled(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows:
            yield batch.select(RECORD.names).cast(RECORD)


def _plan(work: Work) -> Preparation:
    config = work.config
    model = current_model(config.model)
    context = Context(work.grids.value, known_codes(), work.now)
    return Preparation(work.stream, config.limits, context, model, config.hash_key, config.mask_patterns)


def _load(loader: Loader, rows: Rows, work: Work, started: float) -> Rows:
    loader.load(rows, work.progress.unfinished(rows.offsets), started)
    return rows


@functools.lru_cache(maxsize=2)
def _client(target: ClickHouse) -> Client:
    return connect(target)


def _result(
    offsets: OffsetRange,
    good: int = 0,
    quarantined: int = 0,
    duplicates: int = 0,
    refused: bytes = b"",
    fault: str = "",
    detail: str = "",
) -> pa.RecordBatch:
    values = [*offsets, good, quarantined, duplicates, refused, fault, detail]
    return pa.RecordBatch.from_arrays(
        [pa.array([value], kind) for value, kind in zip(values, RESULT.types, strict=True)], schema=RESULT
    )

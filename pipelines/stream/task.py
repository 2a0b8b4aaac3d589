"""What runs in a Spark task: one Kafka partition's share of a micro-batch, chunk by chunk.

Before a chunk is loaded the circuit breaker looks at what was refused; when it opens, nothing of the chunk is loaded.
Faults come back as rows, not as exceptions: the driver must distinguish a service that is down (wait and try again),
a wrong position (stop) and a bug, and an exception reaches the driver only as text.
While one chunk is inserted, the next one is decoded.
"""

import functools
import itertools
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
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
from pipelines.load.loader import BlockRefused, Loader
from pipelines.load.probe import probe
from pipelines.load.ranges import LoadProgress, OffsetRange, Stream, Totals
from pipelines.load.rows import Rows
from pipelines.places.grids import GridIndex
from pipelines.services.clickhouse import ClickHouse, connect
from pipelines.stream.basis import basis_of
from pipelines.stream.breaker import PackedRefused, Refused
from pipelines.stream.chunks import behind, cut, offsets_of
from pipelines.stream.config import StreamConfig
from pipelines.stream.hold import BreakerOpen, Held
from pipelines.stream.isolate import isolate_refused, prepare_or_isolate
from pipelines.stream.prepare import Preparation
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
        ("isolated", pa.int64()),
        ("refused", pa.binary()),
        ("fault", pa.string()),
        ("detail", pa.string()),
    ]
)
_NONE = np.zeros(0, np.bool_)

log = logging.getLogger("gridstream.task")


@dataclass(frozen=True)
class Work:
    """The orders of a micro-batch to its tasks; sent to every task, so it holds little for each partition.

    grids: the registry, which Spark brings to each worker once. earliest: the offset at which a partition begins that
    the ledger does not know. now: the time of judging. counts_from, refused: by partition, the offset from which on
    messages count for the breaker, and what it remembers of those loaded.
    """

    config: StreamConfig
    stream: Stream
    progress: LoadProgress
    earliest: dict[int, int]
    grids: Broadcast[GridIndex]
    batch_id: int
    now: datetime
    counts_from: dict[int, int] = field(default_factory=dict)
    refused: dict[int, PackedRefused] = field(default_factory=dict)

    def edges(self, partition: int) -> tuple[int, ...]:
        """Offsets at which chunks are cut in addition to the multiples of `chunk_rows`."""
        return (*self.progress.edges(partition), self.counts_from.get(partition, 0))

    def due(self, partition: int, first: int) -> int:
        """The offset that must come next in `partition`, whose records begin at `first`.

        Raises:
            TransientFault: the driver did not know yet where this partition begins; the next try does.
        """
        known = self.progress.next_offset(partition)
        if known is not None:
            return known
        if partition not in self.earliest:
            raise TransientFault(f"partition {partition} is new: its first offset is looked up")
        return min(first, self.earliest[partition])

    def recent(self, partition: int) -> Refused:
        """The latest loaded messages that count for the breaker: which were refused."""
        packed = self.refused.get(partition)
        return packed.unpack() if packed else _NONE


def run(batches: Iterable[pa.RecordBatch], work: Work) -> Iterator[pa.RecordBatch]:
    """Load one partition's records; yields one row of `RESULT` per chunk, a fault last."""
    try:
        for rows in _chunks(batches, work):
            refused = work.config.breaker.remember(_NONE, refused_of(rows)).tobytes()
            yield _result(rows.offsets, rows, refused)
    except BreakerOpen as fault:
        yield _fault("held", msgspec.json.encode(fault.held[0]).decode())
    except PositionFault as fault:
        yield _fault("position", str(fault))
    except TransientFault as fault:
        yield _fault("defect" if isinstance(fault, Defect) else "transient", str(fault))
    except Exception as error:
        log.exception("unforeseen error")
        yield _fault("defect", str(Defect.of(error)))


def _chunks(batches: Iterable[pa.RecordBatch], work: Work) -> Iterator[Rows]:
    filled = (batch.select(RECORD.names).cast(RECORD) for batch in batches if batch.num_rows)
    head = next(filled, None)
    if head is None:
        return
    partition, offset = int(head["partition"][0].as_py()), int(head["offset"][0].as_py())
    due = work.due(partition, offset)
    chunk_loader, guard = ChunkLoader.of(work, partition), Guard(work, partition)
    pending: Future[Rows] | None = None
    with ThreadPoolExecutor(1) as inserter:
        for chunk in cut(itertools.chain((head,), filled), work.config.chunk_rows, work.edges(partition)):
            started, records = monotonic(), behind(chunk, due)
            if not records.num_rows:
                continue
            rows = chunk_loader.prepare(records)
            due = rows.offsets.last + 1
            if pending:
                yield pending.result()
                pending = None
            guard.watch(rows)
            pending = inserter.submit(chunk_loader.load, records, rows, started)
        if pending:
            yield pending.result()


@dataclass
class ChunkLoader:
    """Prepares and loads the chunks of one partition, in order. `totals` are those of the partition so far."""

    work: Work
    plan: Preparation
    loader: Loader
    totals: Totals

    @classmethod
    def of(cls, work: Work, partition: int) -> "ChunkLoader":
        config = work.config
        model = current_model(config.model)
        context = Context(work.grids.value, known_codes(), work.now)
        basis = basis_of(context.grids.version, model.version, config)
        plan = Preparation(work.stream, config.limits, context, model, config.hash_key, config.mask_patterns, basis)
        loader = Loader(_client(config.clickhouse), work.stream, work.batch_id)
        return cls(work, plan, loader, work.progress.totals.get(partition, Totals()))

    def prepare(self, records: pa.Table) -> Rows:
        """Prepare a chunk; a range begun before is judged by the time of its first try."""
        offsets = offsets_of(records)
        return prepare_or_isolate(records, offsets, self._plan(offsets))

    def load(self, records: pa.Table, rows: Rows, started: float) -> Rows:
        """Load `rows`, prepared from `records`; where ClickHouse refuses values, their messages are isolated."""
        unfinished = self.work.progress.unfinished(rows.offsets)
        while True:
            try:
                self.totals = self.loader.load(rows, unfinished, started, self.totals)
                return rows
            except BlockRefused as refusal:
                log.warning("partition %d: %s", rows.offsets.partition, refusal)
                send = functools.partial(probe, self.loader.client, refusal.table)
                rows = isolate_refused(records, rows, self._plan(rows.offsets), refusal.table, send)
                unfinished = True

    def _plan(self, offsets: OffsetRange) -> Preparation:
        judged_at = self.work.progress.judged_at(offsets, self.work.now)
        return replace(self.plan, context=replace(self.plan.context, now=judged_at))


class Guard:
    """The circuit breaker of one partition, over the chunks of a micro-batch."""

    def __init__(self, work: Work, partition: int) -> None:
        self._work = work
        self._counts_from = work.counts_from.get(partition, 0)
        self._before = work.recent(partition)

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
    refused = np.zeros(rows.offsets.size, np.bool_)
    refused[rows.quarantine["kafka_offset"].to_numpy().astype(np.int64) - rows.offsets.first] = True
    return refused


@functools.lru_cache(maxsize=2)
def _client(target: ClickHouse) -> Client:
    return connect(target)


def _result(offsets: OffsetRange, rows: Rows, refused: bytes) -> pa.RecordBatch:
    counts = [rows.events.num_rows, rows.quarantine.num_rows, rows.duplicates, len(rows.isolated)]
    return _row([*offsets, *counts, refused, "", ""])


def _fault(kind: str, detail: str) -> pa.RecordBatch:
    return _row([-1, -1, -1, 0, 0, 0, 0, b"", kind, detail])


def _row(values: list[object]) -> pa.RecordBatch:
    columns = [pa.array([value], kind) for value, kind in zip(values, RESULT.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=RESULT)

"""The only place that writes facts: one offset range into `events` and `quarantine`, exactly once.

A range is loaded in five steps. Every step may be repeated:

1. the ledger records BEFORE: what the rows are (digests), and what their outcome depends on;
2. when an earlier try of these offsets never finished, the rows that it stored are looked up and dropped here: what was
   stored first stays, whatever a later try makes of the same message;
3. the accepted rows go into `events` (materialized views derive the rest in the same insert);
4. the rejected rows go into `quarantine`;
5. the ledger records AFTER, with what is stored: the range is now below the high-water mark.

The token of an insert holds the digest of its rows: a token never stands for other rows, so ClickHouse never drops
rows that it does not have. Inserts are synchronous: asynchronous ones with a token have lost rows in released versions.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeVar

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from pipelines.errors import TransientFault, first_line
from pipelines.load import ledger
from pipelines.load.blocks import Block
from pipelines.load.ledger import Phase
from pipelines.load.ranges import Stream, Totals
from pipelines.load.rows import Rows
from pipelines.load.stored import Stored, derive_again, inserts_running, query_prefix, read_stored
from pipelines.services.clickhouse import is_transient, refuses_value

T = TypeVar("T")

# How long a task itself tries again before it hands the fault to the driver, in seconds.
INSERT_RETRY_SECONDS = 20.0
_INSERT_SETTINGS = {
    # A range touches as many day partitions as its reports have days; a backfill of years is one insert.
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
    # A retry whose first try reached `events` alone must still reach the views: each checks the token for itself.
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}


class BlockRefused(Exception):
    """ClickHouse refuses a block of `table` for a value in it; `cause` is what it said."""

    def __init__(self, table: str, cause: DatabaseError) -> None:
        self.table, self.cause = table, cause
        super().__init__(f"{table}: {first_line(cause)}")


@dataclass(frozen=True)
class Loader:
    """Inserts ranges as one writer. `client` is used by one thread at a time."""

    client: Client
    stream: Stream
    batch_id: int

    def load(self, rows: Rows, unfinished: bool, started: float, before: Totals) -> Totals:
        """Load one range (see the module's steps); the totals of its partition afterwards.

        unfinished: whether an earlier try of these offsets may have stored rows. started: `monotonic()` when decoding
        began. before: totals of the partition before this range.

        Raises:
            TransientFault: ClickHouse did not take it within `INSERT_RETRY_SECONDS`.
            BlockRefused: ClickHouse refuses a value; nothing of that table's rows is stored.
        """
        try:
            return self._load(rows, unfinished, started, before)
        except Exception as error:
            if is_transient(error):
                raise TransientFault(f"ClickHouse: {first_line(error)}") from error
            raise

    def _load(self, rows: Rows, unfinished: bool, started: float, before: Totals) -> Totals:
        events, quarantine = Block.of("events", rows.events), Block.of("quarantine", rows.quarantine)
        figures = {
            "judged_at": rows.judged_at,
            "basis": dict(rows.basis),
            "digests": {block.table: block.digest for block in (events, quarantine) if block.rows},
            "first_kafka_time": rows.first_time,
            "last_kafka_time": rows.last_time,
            "batch_id": self.batch_id,
        }
        self._try(lambda: ledger.record(self.client, self.stream, rows.offsets, Phase.BEFORE, **figures))
        stored = self._stored(rows) if unfinished else Stored()
        self._insert(events, stored.without(rows.events), rows)
        if unfinished:
            self._try(lambda: derive_again(self.client, self.stream, rows.offsets))
        self._insert(quarantine, stored.without(rows.quarantine), rows)
        good, quarantined = stored.counts(rows.events, rows.quarantine)
        duplicates = rows.offsets.size - good - quarantined
        totals = before.plus(good, quarantined, duplicates)
        figures |= {"good": good, "quarantined": quarantined, "duplicates": duplicates, "isolated": len(rows.isolated)}
        figures |= {f"total_{name}": value for name, value in totals._asdict().items()}
        figures |= {"warned": rows.warned, "masked": dict(rows.masked), "seconds": monotonic() - started}
        self._try(lambda: ledger.record(self.client, self.stream, rows.offsets, Phase.AFTER, **figures))
        return totals

    def _stored(self, rows: Rows) -> Stored:
        """What earlier tries stored of the range, once none of their inserts is still running."""
        self._try(lambda: inserts_running(self.client, self.stream, rows.offsets.partition))
        return self._try(lambda: read_stored(self.client, self.stream, rows.offsets))

    def _insert(self, whole: Block, missing: pa.Table, rows: Rows) -> None:
        """Insert the rows of `whole` that are `missing`, under the token of `whole`."""
        if not missing.num_rows:
            return
        block = (
            whole if missing.num_rows == whole.rows else replace(Block.of(whole.table, missing), digest=whole.digest)
        )
        token = f"{self.stream.token(rows.offsets)}:{whole.table}:{whole.digest}"
        prefix = query_prefix(self.stream, rows.offsets.partition)

        def insert() -> None:
            settings = _INSERT_SETTINGS | {"insert_deduplication_token": token, "query_id": f"{prefix}{uuid.uuid4()}"}
            self.client.raw_insert(block.table, block.columns, block.body, settings, "Arrow")

        try:
            self._try(insert)
        except DatabaseError as error:
            if refuses_value(error):
                raise BlockRefused(block.table, error) from error
            raise

    def _try(self, work: Callable[[], T]) -> T:
        return Retrying(
            retry=retry_if_exception(is_transient),
            stop=stop_after_delay(INSERT_RETRY_SECONDS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )(work)

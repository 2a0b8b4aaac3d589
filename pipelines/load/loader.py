"""The only place that writes facts: one offset range into `events` and `quarantine`, exactly once.

A range is loaded in five steps; every step may be repeated, since each insert carries the range's token:

1. the ledger says BEFORE;
2. when an earlier try of these offsets never finished, the rows that it left are looked up and dropped;
3. the accepted rows go into `events` (materialized views derive the rest in the same insert);
4. the rejected rows go into `quarantine`;
5. the ledger says AFTER: from now on the range is below the high-water mark.

Synchronous inserts only: async ones with a token have lost rows in released ClickHouse versions.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from pipelines.errors import TransientFault, first_line
from pipelines.load import ledger
from pipelines.load.ledger import Phase
from pipelines.load.ranges import OffsetRange, Stream
from pipelines.load.rows import Rows
from pipelines.services.clickhouse import is_transient
from pipelines.services.queries import query_text

T = TypeVar("T")

# How long a task itself tries again before it hands the fault to the driver, in seconds.
INSERT_RETRY_SECONDS = 20.0
# A range touches as many day partitions as its reports have days; a backfill of years is one insert.
# A retry whose first try reached `events` alone must still reach the views: each checks the token for itself.
_INSERT_SETTINGS = {
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
_HEALS = ("load/heal_report_states.sql", "load/heal_report_handling.sql")


@dataclass(frozen=True)
class Loader:
    """Inserts ranges as one writer. `client` belongs to this loader's thread alone."""

    client: Client
    stream: Stream
    batch_id: int

    def load(self, rows: Rows, unfinished: bool, started: float) -> None:
        """Load one range (see the module's steps). `started`: `monotonic()` when its decoding began.

        Raises:
            TransientFault: ClickHouse did not take it within `INSERT_RETRY_SECONDS` seconds.
        """
        try:
            self._load(rows, unfinished, started)
        except Exception as error:
            if is_transient(error):
                raise TransientFault(f"ClickHouse: {first_line(error)}") from error
            raise

    def _load(self, rows: Rows, unfinished: bool, started: float) -> None:
        figures = {"first_kafka_time": rows.first_time, "last_kafka_time": rows.last_time, "batch_id": self.batch_id}
        self._try(lambda: ledger.record(self.client, self.stream, rows.offsets, Phase.BEFORE, **figures))
        good = rows.events.num_rows
        events = self._missing(rows) if unfinished else rows.events
        self._insert("events", events, rows.offsets)
        if unfinished:
            self._heal(rows.offsets)
        self._insert("quarantine", rows.quarantine, rows.offsets)
        figures |= {"good": good, "quarantined": rows.quarantine.num_rows, "duplicates": rows.duplicates}
        figures |= {"warned": rows.warned, "masked": dict(rows.masked), "seconds": monotonic() - started}
        self._try(lambda: ledger.record(self.client, self.stream, rows.offsets, Phase.AFTER, **figures))

    def _insert(self, table: str, rows: pa.Table, offsets: OffsetRange) -> None:
        if not rows.num_rows:
            return
        settings = _INSERT_SETTINGS | {"insert_deduplication_token": f"{self.stream.token(offsets)}:{table}"}
        self._try(lambda: self.client.insert_arrow(table, rows, settings=settings))

    def _missing(self, rows: Rows) -> pa.Table:
        """The rows that an earlier try did not leave in `events`."""
        scope = self._scope(rows.offsets)
        present: pa.Table = self._try(lambda: self.client.query_arrow(query_text("load/present_offsets.sql"), scope))
        there = pc.cast(present["kafka_offset"], rows.events["kafka_offset"].type)
        return rows.events.filter(pc.invert(pc.is_in(rows.events["kafka_offset"], there)))

    def _heal(self, offsets: OffsetRange) -> None:
        """Derive again what the views may have missed when the server died between two parts."""
        for query in map(query_text, _HEALS):
            self._try(functools.partial(self.client.command, query, self._scope(offsets)))

    def _scope(self, offsets: OffsetRange) -> dict[str, Any]:
        return {"topic_id": self.stream.topic_id, **offsets._asdict()}

    def _try(self, work: Callable[[], T]) -> T:
        return Retrying(
            retry=retry_if_exception(is_transient),
            stop=stop_after_delay(INSERT_RETRY_SECONDS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )(work)

"""What an earlier try left in ClickHouse of an offset range."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from pipelines.errors import TransientFault
from pipelines.load.ranges import OffsetRange, Stream
from pipelines.services.queries import query_text

_RUNNING = "SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String})"
_DERIVED = ("load/heal_report_states.sql", "load/heal_report_handling.sql", "load/heal_closing_bounds.sql")


@dataclass(frozen=True)
class Stored:
    """Offsets of the messages of a range that are stored already, by table."""

    events: frozenset[int] = frozenset()
    quarantine: frozenset[int] = frozenset()

    def without(self, rows: pa.Table) -> pa.Table:
        """The rows of `events` or `quarantine` that are stored in neither table.

        Only the offset decides: another message under the same event_id must not be lost, and a resend merges away.
        """
        if not self.events and not self.quarantine:
            return rows
        offsets = pa.array([*self.events, *self.quarantine], rows["kafka_offset"].type)
        return rows.filter(pc.invert(pc.is_in(rows["kafka_offset"], offsets)))

    def counts(self, events: pa.Table, quarantine: pa.Table) -> tuple[int, int]:
        """How many messages of the range are events and how many are rejected, once the missing rows are stored."""
        return (
            len(self.events) + self.without(events).num_rows,
            len(self.quarantine) + self.without(quarantine).num_rows,
        )


def read_stored(client: Client, stream: Stream, offsets: OffsetRange) -> Stored:
    """Read both tables."""
    rows = client.query(query_text("load/stored.sql"), _scope(stream, offsets)).result_rows
    by_table = {name: frozenset(int(at) for table, at in rows if table == name) for name in ("events", "quarantine")}
    return Stored(**by_table)


def query_prefix(stream: Stream, partition: int) -> str:
    """What the query_id of every insert into this partition's ranges begins with."""
    return f"gridstream:{stream.topic_id}:{partition}:"


def inserts_running(client: Client, stream: Stream, partition: int) -> None:
    """Raise TransientFault while ClickHouse still works on an insert of an earlier try: it may store rows yet."""
    running = client.query(_RUNNING, {"prefix": query_prefix(stream, partition)}).result_rows[0][0]
    if running:
        raise TransientFault(f"partition {partition}: {running} inserts of an earlier try are still running")


def derive_again(client: Client, stream: Stream, offsets: OffsetRange) -> None:
    """Derive what the views may have missed when the server died between two parts of one insert."""
    for path in _DERIVED:
        client.command(query_text(path), _scope(stream, offsets))


def _scope(stream: Stream, offsets: OffsetRange) -> dict[str, Any]:
    return {"topic_id": stream.topic_id, **offsets._asdict()}

"""The ledger: which offset ranges are in, which were begun, and who may write.

Owned by the stream's driver (`HighWaterMarks`, `acquire`, `still_mine`) and by its tasks (`record`).
The high-water mark of a partition is the last offset of its newest finished range; the next range
must begin right behind it.
"""

import os
import socket
import uuid
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.errors import Fenced

FIRST_EPOCH = 1


class Phase(IntEnum):
    """When a ledger row was written: before the range's first insert, or after its last."""

    BEFORE = 0
    AFTER = 1


class Range(NamedTuple):
    """Offsets `first`..`last` of one partition, both included."""

    partition: int
    first: int
    last: int

    def overlaps(self, other: "Range") -> bool:
        return self.partition == other.partition and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Stream:
    """Which topic is loaded, in which generation, by which writer: the same for a process's life.

    `topic_id` is Kafka's own UUID of the topic, so that a topic deleted and made again cannot be
    taken for the old one. `epoch` is the generation of the load: it is part of every token and grows
    only when a person starts the load afresh, since a retry after a crash must keep its token.
    `writer` grows with every process and fences the older ones.
    """

    topic: str
    topic_id: str
    epoch: int
    writer: int

    def token(self, offsets: Range) -> str:
        """The insert_deduplication_token of a range, to be completed by the table's name."""
        return f"{self.epoch}:{self.topic_id}:{offsets.partition}:{offsets.first}-{offsets.last}"


@dataclass(frozen=True)
class Progress:
    """Where the load stands: per partition the high-water mark, and the ranges begun but not finished.

    `lost`: ranges that Kafka deleted before they were loaded, and that a person has given up.
    """

    high_water: dict[int, int] = field(default_factory=dict)
    begun: tuple[Range, ...] = ()
    lost: tuple[Range, ...] = ()

    def next_offset(self, partition: int) -> int | None:
        """The offset that must come next, or None when the partition was never loaded."""
        mark = self.high_water.get(partition)
        behind = max((gap.last + 1 for gap in self.lost if gap.partition == partition), default=0)
        return None if mark is None else max(mark + 1, behind)

    def edges(self, partition: int) -> tuple[int, ...]:
        """Offsets at which chunks must be cut so that a range begun before keeps its token."""
        return tuple(sorted({edge for r in self.begun if r.partition == partition for edge in (r.first, r.last + 1)}))

    def unfinished(self, offsets: Range) -> bool:
        """Whether rows of `offsets` may already be in from a try that never finished."""
        return any(offsets.overlaps(begun) for begun in self.begun)


_HIGH_WATER = """
SELECT kafka_partition, max(last_offset) FROM ledger
WHERE topic_id = {topic_id:String} AND epoch = {epoch:UInt32} AND phase = 'after' GROUP BY kafka_partition"""

_BEGUN = """
SELECT kafka_partition, first_offset, last_offset FROM ledger
WHERE topic_id = {topic_id:String} AND epoch = {epoch:UInt32}
GROUP BY kafka_partition, first_offset, last_offset
HAVING max(phase) = 'before'
ORDER BY ALL"""

_LOST = """
SELECT kafka_partition, first_offset, last_offset FROM gaps FINAL
WHERE topic_id = {topic_id:String} AND accepted ORDER BY ALL"""


def progress(client: Client, stream: Stream) -> Progress:
    """Read the high-water marks, the ranges begun behind them, and the lost ones, of this topic and epoch."""
    scope = {"topic_id": stream.topic_id, "epoch": stream.epoch}
    marks = {int(partition): int(last) for partition, last in client.query(_HIGH_WATER, scope).result_rows}
    begun = (Range(*map(int, row)) for row in client.query(_BEGUN, scope).result_rows)
    lost = tuple(Range(*map(int, row)) for row in client.query(_LOST, scope).result_rows)
    return Progress(marks, tuple(r for r in begun if r.last > marks.get(r.partition, -1)), lost)


_LATEST = """
SELECT argMax(writer, (writer, nonce)), argMax(nonce, (writer, nonce)), max(epoch)
FROM writers WHERE topic = {topic:String}"""


def acquire(client: Client, topic: str, topic_id: str) -> Stream:
    """Become the topic's writer; every older writer is fenced from now on.

    Raises:
        Fenced: another process took over at the same moment.
    """
    latest, _, epoch = client.query(_LATEST, {"topic": topic}).result_rows[0]
    mine = Stream(topic, topic_id, max(int(epoch), FIRST_EPOCH), int(latest) + 1)
    nonce = uuid.uuid4()
    row = [mine.writer, nonce, topic, mine.epoch, socket.gethostname(), os.getpid()]
    client.insert("writers", [row], column_names=["writer", "nonce", "topic", "epoch", "host", "pid"])
    winner = client.query(_LATEST, {"topic": topic}).result_rows[0]
    if (int(winner[0]), winner[1]) != (mine.writer, nonce):
        raise Fenced(f"another stream process took over topic {topic} (writer {winner[0]})")
    return mine


def still_mine(client: Client, stream: Stream) -> None:
    """Raise `Fenced` when a newer process writes this topic."""
    latest = client.query(_LATEST, {"topic": stream.topic}).result_rows[0]
    if int(latest[0]) != stream.writer or int(latest[2]) > stream.epoch:
        raise Fenced(f"writer {latest[0]} has taken over topic {stream.topic}; this one is writer {stream.writer}")


def record(client: Client, stream: Stream, offsets: Range, phase: Phase, **figures: Any) -> None:
    """Write one ledger row; written twice by a retry it counts once (same token)."""
    row = {
        "topic": stream.topic,
        "topic_id": stream.topic_id,
        "kafka_partition": offsets.partition,
        "first_offset": offsets.first,
        "last_offset": offsets.last,
        "phase": int(phase),
        "epoch": stream.epoch,
        "writer": stream.writer,
        "token": stream.token(offsets),
        **figures,
    }
    # A try of another batch of the same range is a row of its own: only this very insert is retried.
    token = f"{stream.token(offsets)}:ledger:{phase.name.lower()}:{stream.writer}:{figures['batch_id']}"
    client.insert(
        "ledger", [list(row.values())], column_names=list(row), settings={"insert_deduplication_token": token}
    )

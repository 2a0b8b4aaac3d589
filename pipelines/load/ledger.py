"""The ledger: which offset ranges are in, which were begun, and who may write.

Owned by the stream's driver (`HighWaterMarks`, `acquire`, `still_mine`) and by its tasks (`record`).
The high-water mark of a partition is the last offset of its newest finished range; the next range
must begin right behind it.
"""

import os
import socket
import uuid
from enum import IntEnum
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.errors import Fenced
from pipelines.load.ranges import LoadProgress, OffsetRange, Stream

FIRST_EPOCH = 1


class Phase(IntEnum):
    """When a ledger row was written: before the range's first insert, or after its last."""

    BEFORE = 0
    AFTER = 1


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


def progress(client: Client, stream: Stream) -> LoadProgress:
    """Read the high-water marks, the ranges begun behind them, and the lost ones, of this topic and epoch."""
    scope = {"topic_id": stream.topic_id, "epoch": stream.epoch}
    marks = {int(partition): int(last) for partition, last in client.query(_HIGH_WATER, scope).result_rows}
    begun = (OffsetRange(*map(int, row)) for row in client.query(_BEGUN, scope).result_rows)
    lost = tuple(OffsetRange(*map(int, row)) for row in client.query(_LOST, scope).result_rows)
    return LoadProgress(marks, tuple(r for r in begun if r.last > marks.get(r.partition, -1)), lost)


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


def record(client: Client, stream: Stream, offsets: OffsetRange, phase: Phase, **figures: Any) -> None:
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

"""The ledger: which offset ranges are loaded, which were begun, and which process may write.

Used by the driver of the stream (`progress`, `acquire`, `still_mine`) and by its tasks (`record`). The high-water mark
of a partition is the last offset of its newest finished range; the next range must begin right after it.
"""

import hashlib
import os
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.errors import Fenced
from pipelines.load.ranges import LoadProgress, OffsetRange, Stream, Totals
from pipelines.services.queries import query_text

FIRST_EPOCH = 1


class Phase(IntEnum):
    """When a ledger row was written: before the range's first insert, or after its last."""

    BEFORE = 0
    AFTER = 1


_MARKS = """
SELECT kafka_partition, max(finished), max(begun), max(longest), max(good), max(quarantined), max(duplicates)
FROM ledger_marks WHERE topic_id = {topic_id:String} AND epoch = {epoch:UInt32} GROUP BY kafka_partition"""

_LOST = """
SELECT kafka_partition, first_offset, last_offset FROM gaps FINAL
WHERE topic_id = {topic_id:String} AND accepted ORDER BY ALL"""


class _Mark(NamedTuple):
    """A row of `ledger_marks`; offsets are those after the range, 0 when there is none."""

    partition: int
    finished: int
    begun: int
    longest: int
    good: int
    quarantined: int
    duplicates: int


def progress(client: Client, stream: Stream) -> LoadProgress:
    """The high-water marks, the ranges begun after them, and the lost ranges, of this topic and epoch.

    The marks are read from a table of one row a partition, so the cost does not grow with the ledger. Ranges are looked
    up only in partitions where one was begun and is not finished; there the ledger itself decides, since a server that
    died in the middle of an insert may have missed the mark.
    """
    scope = {"topic_id": stream.topic_id, "epoch": stream.epoch}
    marks = [_Mark(*map(int, row)) for row in client.query(_MARKS, scope).result_rows]
    high_water = {mark.partition: mark.finished - 1 for mark in marks if mark.finished}
    totals = {mark.partition: Totals(*mark[4:]) for mark in marks if mark.finished}
    begun: dict[OffsetRange, datetime | None] = {}
    for attempt in _attempts(client, scope, [mark for mark in marks if mark.begun > mark.finished]):
        if attempt.finished and attempt.offsets.last > high_water.get(attempt.offsets.partition, -1):
            high_water[attempt.offsets.partition] = attempt.offsets.last
            totals[attempt.offsets.partition] = attempt.totals
        elif not attempt.finished:
            begun[attempt.offsets] = attempt.judged_at
    begun = {offsets: time for offsets, time in begun.items() if offsets.last > high_water.get(offsets.partition, -1)}
    lost = tuple(OffsetRange(*map(int, row)) for row in client.query(_LOST, scope).result_rows)
    return LoadProgress(high_water, begun, lost, totals)


class _Attempt(NamedTuple):
    """What the ledger holds of one range. judged_at: at the first try; None when an older version did not record it."""

    offsets: OffsetRange
    finished: bool
    judged_at: datetime | None
    totals: Totals


def _attempts(client: Client, scope: Mapping[str, Any], marks: Sequence[_Mark]) -> Iterator[_Attempt]:
    """Ranges of these partitions that may reach beyond their marks, by first offset."""
    if not marks:
        return
    begins = {mark.partition: max(0, mark.finished - mark.longest) for mark in marks}
    bounds = {"partitions": list(begins), "begins": list(begins.values()), "begin": min(begins.values())}
    rows = client.query(query_text("load/attempts.sql"), {**scope, **bounds}, tz_mode="aware").result_rows
    for partition, first, last, finished, judged_at, *totals in rows:
        offsets = OffsetRange(int(partition), int(first), int(last))
        yield _Attempt(offsets, bool(finished), judged_at if judged_at.year > 1970 else None, Totals(*map(int, totals)))


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
        raise Fenced(f"另一流作业已接管主题 another stream process took over topic {topic} (writer {winner[0]})")
    return mine


def still_mine(client: Client, stream: Stream) -> None:
    """Raise `Fenced` when a newer process writes this topic."""
    latest = client.query(_LATEST, {"topic": stream.topic}).result_rows[0]
    if int(latest[0]) != stream.writer or int(latest[2]) > stream.epoch:
        raise Fenced(
            f"另一流作业已接管主题 writer {latest[0]} has taken over topic {stream.topic}; "
            f"本作业为 this one is writer {stream.writer}"
        )


def record(client: Client, stream: Stream, offsets: OffsetRange, phase: Phase, **figures: Any) -> None:
    """Write one ledger row, with `figures` in its other columns; written twice by a retry it counts once."""
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
    digest = hashlib.sha256(msgspec.json.encode(figures)).hexdigest()[:24]
    settings = {
        "insert_deduplication_token": f"{stream.token(offsets)}:ledger:{phase.name.lower()}:{stream.writer}:{digest}",
        # The mark may have been missed although the row was stored: a retry must reach it.
        "deduplicate_blocks_in_dependent_materialized_views": 1,
    }
    client.insert("ledger", [list(row.values())], column_names=list(row), settings=settings)

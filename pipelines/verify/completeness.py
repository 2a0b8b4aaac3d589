"""Check: every message of the topic is where it should be, and is the one stored there.

Each offset that Kafka still has, up to the ledger's high-water mark, is exactly one of: in `events`
with this event_id; in `quarantine` with these bytes; in neither, its event_id being in `events` under
another offset (a resend, dropped or merged away). Anything else is lost or not the same message.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData

from pipelines.verify.arrays import Ints, columns
from pipelines.verify.kafka_log import NO_ID, Batch, TopicLog
from pipelines.verify.ledger import Ranges
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged
from pipelines.verify.stored import Stored, Tally, read_stored

_LOOKUP = 100_000  # event ids asked for at once

_KNOWN = """
SELECT DISTINCT UUIDStringToNum(toString(event_id)) AS event_id FROM events
WHERE event_id IN (SELECT id FROM wanted)"""


@dataclass
class Reading:
    """What reading Kafka showed, summed over all partitions."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    resends: int = 0
    expired: int = 0  # rejected so long ago that quarantine no longer keeps them
    lost: int = 0
    absent: int = 0  # offsets that hold no message: transaction markers, compaction
    findings: list[ProofFinding] = field(default_factory=list)

    def fail(self, zh: str, en: str, partition: int, offsets: Ints) -> None:
        """Note that the messages at `offsets` are wrong in this way."""
        if len(offsets):
            examples = tuple({"partition": partition, "offset": int(offset)} for offset in offsets[:SHOWN])
            self.findings.append(ProofFinding("fails", zh, en, len(offsets), examples))


def walk(client: Client, log: TopicLog | None, tally: Tally, window: int, done: Callable[[int], None]) -> Reading:
    """Compare one partition window by window: ClickHouse with the ledger, and Kafka with ClickHouse.

    Args:
        log: the topic, or None to leave Kafka unread (`--quick`, or a topic that is no more).
        tally: counts of this partition; filled here.
        window: offsets held in memory at once.
        done: told how many offsets were finished.
    """
    reading = Reading()
    for first, last in windows(tally.load, log, window):
        stored = read_stored(client, tally.load, first, last)
        tally.add(stored)
        if log is not None:
            _compare(client, log, tally, stored, (first, last), reading)
        done(last - first + 1)
    return reading


def windows(load: Ranges, log: TopicLog | None, size: int) -> Iterator[tuple[int, int]]:
    """`first`..`last` of each window, from the earliest offset anybody knows to the high-water mark."""
    if not len(load.first):
        return
    start = int(load.first[0])
    if log is not None:
        start = min(start, log.begins.get(load.partition, start))
    for first in range(start, load.high_water + 1, size):
        yield first, min(first + size - 1, load.high_water)


def _compare(
    client: Client, log: TopicLog, tally: Tally, stored: Stored, span: tuple[int, int], reading: Reading
) -> None:
    partition = tally.load.partition
    first, last = max(span[0], log.begins[partition]), min(span[1], log.ends[partition] - 1)
    missing: list[tuple[int, bytes]] = []
    read = 0
    for batch in log.read(partition, first, last) if first <= last else ():
        read += len(batch.offsets)
        missing += _match(batch, stored, partition, reading)
    reading.read += read
    reading.absent += max(last - max(first, log.begins[partition]) + 1 - read, 0)
    _settle(client, tally, missing, reading)


def _match(batch: Batch, stored: Stored, partition: int, reading: Reading) -> list[tuple[int, bytes]]:
    """Count what stands at its own offset; return the offsets and event ids of the rest."""
    accepted, at = _find(batch.offsets, stored.offsets)
    other = batch.ids[accepted] != stored.ids[at[accepted]]
    reading.fail("事件不是该偏移量的消息", "event differs from the message", partition, batch.offsets[accepted][other])
    rejected, at = _find(batch.offsets, stored.rejected)
    wrong = [i for i in np.flatnonzero(rejected) if batch.sha256(int(i)) != stored.sha256[at[i]]]
    reading.fail("隔离行不是该消息", "quarantine row differs from the message", partition, batch.offsets[wrong])
    reading.accepted += int(accepted.sum())
    reading.rejected += int((rejected & ~accepted).sum())
    return [(int(batch.offsets[i]), batch.ids[i].tobytes()) for i in np.flatnonzero(~accepted & ~rejected)]


def _find(wanted: Ints, known: Ints) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], Ints]:
    """Which of `wanted` are in sorted `known`, and where."""
    if not len(known):
        return np.zeros(len(wanted), np.bool_), np.zeros(len(wanted), np.int64)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[at] == wanted, at


def _settle(client: Client, tally: Tally, missing: list[tuple[int, bytes]], reading: Reading) -> None:
    """Tell resends, whose event_id is in `events` under another offset, from what is lost."""
    known = _known(client, {event_id for _, event_id in missing} - {NO_ID})
    lost = np.array([offset for offset, event_id in missing if event_id not in known], np.int64)
    forgiven = tally.in_expired(lost)
    reading.resends += len(missing) - len(lost)
    reading.expired += int(forgiven.sum())
    reading.lost += int((~forgiven).sum())
    reading.fail("丢失", "LOST: in neither table, event_id nowhere", tally.load.partition, lost[~forgiven])


def _known(client: Client, wanted: set[bytes]) -> set[bytes]:
    ids, found = sorted(wanted), set[bytes]()
    for start in range(0, len(ids), _LOOKUP):
        lines = "\n".join(str(UUID(bytes=event_id)) for event_id in ids[start : start + _LOOKUP])
        data = ExternalData(file_name="wanted", data=lines.encode(), fmt="TSV", structure="id UUID")
        found.update(columns(client, _KNOWN, {}, data)["event_id"])
    return found


def check_completeness(log: TopicLog, tallies: list[Tally], reading: list[Reading], quick: bool) -> Check:
    """The verdict over all partitions of the topic as it is now."""
    findings = [finding for part in reading for finding in part.findings]
    marks = {tally.load.partition: tally.load.high_water for tally in tallies}
    ahead = [p for p, mark in marks.items() if mark >= log.ends.get(p, 0)]
    if ahead:
        examples = tuple({"partition": p, "high_water": marks[p], "end": log.ends.get(p, 0)} for p in ahead)
        findings.append(
            ProofFinding("fails", "账本超前于 Kafka", "the ledger is ahead of Kafka's end", len(ahead), examples)
        )
    passed = [t.load for t in tallies if len(t.load.first) and log.begins.get(t.load.partition, 0) > t.load.first[0]]
    figures = {
        name: sum(getattr(part, name) for part in reading)
        for name in ("read", "accepted", "rejected", "resends", "expired", "absent", "lost")
    }
    figures["lag"] = sum(max(end - max(marks.get(p, -1) + 1, log.begins[p]), 0) for p, end in log.ends.items())
    figures["by_ledger_only"] = sum(int(log.begins[load.partition] - load.first[0]) for load in passed)
    skipped = ("快速模式未读 Kafka", "--quick: Kafka's messages were not read") if quick else None
    return Check(
        "completeness", "每条消息都有着落", "every message is accounted for", figures, merged(findings), skipped
    )

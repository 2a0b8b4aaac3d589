"""Check: every message of the topic is stored where it should be, and what is stored there is that message.

Each offset that Kafka still has, up to the ledger's high-water mark, is exactly one of: in `events`
with this event_id; in `quarantine` with the keyed hash of these bytes; in neither, its event_id being in `events` under
another offset (a resend, dropped or merged away). Anything else is a lost message or a different one.
"""

import hmac
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
_KEY_ID_DIGITS = 8

_KNOWN = """
SELECT DISTINCT UUIDStringToNum(toString(event_id)) AS event_id FROM events
WHERE event_id IN (SELECT id FROM wanted)"""


@dataclass
class Reading:
    """Counts of the messages of one partition that were read from Kafka, and what is wrong with them."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    resends: int = 0
    expired: int = 0  # rejected before the TTL of quarantine
    lost: int = 0
    by_length: int = 0  # rejected, of which the hash was not made with the present key: only the length is compared
    absent: int = 0  # offsets that hold no message: transaction markers, compaction
    findings: list[ProofFinding] = field(default_factory=list)

    def fail(self, zh: str, en: str, partition: int, offsets: Ints) -> None:
        """Add a finding about the messages at `offsets`, unless there are none."""
        if len(offsets):
            examples = tuple({"partition": partition, "offset": int(offset)} for offset in offsets[:SHOWN])
            self.findings.append(ProofFinding("fails", zh, en, len(offsets), examples))


def walk(
    client: Client, log: TopicLog | None, tally: Tally, window: int, hash_key: bytes, done: Callable[[int], None]
) -> Reading:
    """Compare one partition window by window: ClickHouse with the ledger, and Kafka with ClickHouse.

    Args:
        log: the topic; None when Kafka is not to be read (`quick`, or a topic that no longer exists).
        tally: counts of this partition; filled here.
        window: offsets held in memory at once.
        hash_key: key of the hashes of rejected messages.
        done: called with the number of offsets finished since the last call.
    """
    reading = Reading()
    for first, last in windows(tally.load, log, window):
        stored = read_stored(client, tally.load, first, last)
        tally.add(stored)
        if log is not None:
            _compare(client, log, tally, stored, (first, last), hash_key, reading)
        done(last - first + 1)
    return reading


def windows(load: Ranges, log: TopicLog | None, size: int) -> Iterator[tuple[int, int]]:
    """`first`..`last` of each window, from the first offset in the ledger or in Kafka to the high-water mark."""
    if not len(load.first):
        return
    start = int(load.first[0])
    if log is not None:
        start = min(start, log.begins.get(load.partition, start))
    for first in range(start, load.high_water + 1, size):
        yield first, min(first + size - 1, load.high_water)


def _compare(
    client: Client, log: TopicLog, tally: Tally, stored: Stored, span: tuple[int, int], key: bytes, reading: Reading
) -> None:
    partition = tally.load.partition
    first, last = max(span[0], log.begins[partition]), min(span[1], log.ends[partition] - 1)
    unmatched: list[tuple[int, bytes]] = []
    read = 0
    for batch in log.read(partition, first, last) if first <= last else ():
        read += len(batch.offsets)
        unmatched += _match(batch, stored, partition, key, reading)
    reading.read += read
    reading.absent += max(last - max(first, log.begins[partition]) + 1 - read, 0)
    _resends_or_lost(client, tally, unmatched, reading)


def _match(batch: Batch, stored: Stored, partition: int, key: bytes, reading: Reading) -> list[tuple[int, bytes]]:
    """Count the messages stored under their own offset; returns the offsets and event ids of the others."""
    accepted, at = _find(batch.offsets, stored.offsets)
    other = batch.ids[accepted] != stored.ids[at[accepted]]
    reading.fail("事件不是该偏移量的消息", "event differs from the message", partition, batch.offsets[accepted][other])
    rejected, at = _find(batch.offsets, stored.rejected)
    same = Comparison(batch, stored, key)
    wrong = [i for i in np.flatnonzero(rejected) if not same.rejected(int(i), int(at[i]))]
    reading.by_length += same.by_length
    reading.fail("隔离行不是该消息", "quarantine row differs from the message", partition, batch.offsets[wrong])
    reading.accepted += int(accepted.sum())
    reading.rejected += int((rejected & ~accepted).sum())
    return [(int(batch.offsets[i]), batch.ids[i].tobytes()) for i in np.flatnonzero(~accepted & ~rejected)]


@dataclass
class Comparison:
    """Compares messages with the quarantine rows at their offsets; `by_length` counts those compared by length only."""

    batch: Batch
    stored: Stored
    key: bytes
    by_length: int = 0

    def rejected(self, message: int, row: int) -> bool:
        """Whether a row is that of a message. The hash of a row that was written with another key, or before hashes
        were keyed, proves nothing."""
        if len(self.batch.values[message]) != self.stored.lengths[row]:
            return False
        written = str(self.stored.hashes[row])
        if not written.startswith(hmac.digest(self.key, b"gridstream key id", "sha256").hex()[:_KEY_ID_DIGITS]):
            self.by_length += 1
            return True
        return written[_KEY_ID_DIGITS:] == self.batch.keyed_hash(message, self.key)[: len(written) - _KEY_ID_DIGITS]


def _find(wanted: Ints, known: Ints) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], Ints]:
    """Which of `wanted` are in `known`, which is sorted, and their indexes there (any index where they are not)."""
    if not len(known):
        return np.zeros(len(wanted), np.bool_), np.zeros(len(wanted), np.int64)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[at] == wanted, at


def _resends_or_lost(client: Client, tally: Tally, unmatched: list[tuple[int, bytes]], reading: Reading) -> None:
    """Count as resends the messages whose event_id is in `events` under another offset; the others are lost."""
    known = _known(client, {event_id for _, event_id in unmatched} - {NO_ID})
    nowhere = np.array([offset for offset, event_id in unmatched if event_id not in known], np.int64)
    expired = tally.in_expired(nowhere)
    reading.resends += len(unmatched) - len(nowhere)
    reading.expired += int(expired.sum())
    reading.lost += int((~expired).sum())
    reading.fail("丢失", "LOST: in neither table, event_id nowhere", tally.load.partition, nowhere[~expired])


def _known(client: Client, wanted: set[bytes]) -> set[bytes]:
    """Those of the event ids (16 bytes each) that are in `events`."""
    ids, known = sorted(wanted), set[bytes]()
    for start in range(0, len(ids), _LOOKUP):
        lines = "\n".join(str(UUID(bytes=event_id)) for event_id in ids[start : start + _LOOKUP])
        data = ExternalData(file_name="wanted", data=lines.encode(), fmt="TSV", structure="id UUID")
        known.update(columns(client, _KNOWN, {}, data)["event_id"])
    return known


def check_completeness(log: TopicLog, tallies: list[Tally], readings: list[Reading], quick: bool) -> Check:
    """The result over all partitions of the current topic."""
    findings = [finding for reading in readings for finding in reading.findings]
    marks = {tally.load.partition: tally.load.high_water for tally in tallies}
    ahead = [p for p, mark in marks.items() if mark >= log.ends.get(p, 0)]
    if ahead:
        examples = tuple({"partition": p, "high_water": marks[p], "end": log.ends.get(p, 0)} for p in ahead)
        findings.append(
            ProofFinding("fails", "账本超前于 Kafka", "the ledger is ahead of Kafka's end", len(ahead), examples)
        )
    loads = [tally.load for tally in tallies if len(tally.load.first)]
    expired = [int(log.begins.get(load.partition, 0) - load.first[0]) for load in loads]  # deleted by retention
    figures = {
        name: sum(getattr(reading, name) for reading in readings)
        for name in ("read", "accepted", "rejected", "resends", "expired", "by_length", "absent", "lost")
    }
    figures["lag"] = sum(max(end - max(marks.get(p, -1) + 1, log.begins[p]), 0) for p, end in log.ends.items())
    figures["by_ledger_only"] = sum(offsets for offsets in expired if offsets > 0)
    skipped = ("快速模式未读 Kafka", "--quick: Kafka's messages were not read") if quick else None
    return Check(
        "completeness", "每条消息都有着落", "every message is accounted for", figures, merged(findings), skipped
    )

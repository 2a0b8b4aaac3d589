"""Check: every message of the topic is stored where it should be, and what is stored there is that message.

Each offset that Kafka still has, up to the ledger's high-water mark, is exactly one of: in `events`
with this event_id; in `quarantine` with the keyed hash of these bytes; in neither, the same message (event_id and
content) being in `events` under another offset (a resend, dropped or merged away). Anything else is a lost message or a
different one.
"""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import numpy as np
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData

from pipelines.verify.arrays import Ints, columns
from pipelines.verify.kafka_log import Batch, TopicLog, key_bits
from pipelines.verify.ledger import Ranges
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged
from pipelines.verify.stored import Stored, Tally, read_stored

_LOOKUP = 100_000  # event ids asked for at once
_KEY_ID_DIGITS = 8

_KNOWN = """
SELECT DISTINCT UUIDStringToNum(toString(event_id)) AS event_id, content FROM events
WHERE event_id IN (SELECT id FROM wanted)"""


class Unmatched(NamedTuple):
    """A message that is in neither table under its offset. event_id: 16 bytes, None when it has none."""

    offset: int
    event_id: bytes | None
    content: int


@dataclass
class Reading:
    """Counts of the messages of one partition that were read from Kafka, and what is wrong with them."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    resends: int = 0
    by_id: int = 0  # resends, of which the stored row has no content made with the present key: only ids are compared
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
    unmatched: list[Unmatched] = []
    read = 0
    for batch in log.read(partition, first, last) if first <= last else ():
        read += len(batch.offsets)
        unmatched += _match(batch, stored, partition, key, reading)
    reading.read += read
    reading.absent += max(last - max(first, log.begins[partition]) + 1 - read, 0)
    _resends_or_lost(client, tally, unmatched, key, reading)


def _match(batch: Batch, stored: Stored, partition: int, key: bytes, reading: Reading) -> list[Unmatched]:
    """Count the messages stored under their own offset; returns the others."""
    accepted, at = _find(batch.offsets, stored.offsets)
    other = (batch.ids[accepted] != stored.ids[at[accepted]]) | ~batch.has_id[accepted]
    reading.fail("事件不是该偏移量的消息", "event differs from the message", partition, batch.offsets[accepted][other])
    rejected, at = _find(batch.offsets, stored.rejected)
    same = Comparison(batch, stored, key)
    wrong = [i for i in np.flatnonzero(rejected) if not same.rejected(int(i), int(at[i]))]
    reading.by_length += same.by_length
    reading.fail("隔离行不是该消息", "quarantine row differs from the message", partition, batch.offsets[wrong])
    reading.accepted += int(accepted.sum())
    reading.rejected += int((rejected & ~accepted).sum())
    return [_unmatched(batch, int(i), key) for i in np.flatnonzero(~accepted & ~rejected)]


def _unmatched(batch: Batch, i: int, key: bytes) -> Unmatched:
    has_id = bool(batch.has_id[i])
    return Unmatched(
        int(batch.offsets[i]), batch.ids[i].tobytes() if has_id else None, batch.content(i, key) if has_id else 0
    )


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


def _resends_or_lost(client: Client, tally: Tally, unmatched: list[Unmatched], key: bytes, reading: Reading) -> None:
    """Count as resends the messages that are in `events` under another offset; the others are lost."""
    known = _known(client, {message.event_id for message in unmatched if message.event_id is not None})
    present = key_bits(key)
    nowhere, replaced = list[int](), list[int]()
    for message in unmatched:
        contents = known.get(message.event_id, set()) if message.event_id is not None else set()
        if not contents:
            nowhere.append(message.offset)
        elif message.content in contents:
            reading.resends += 1
        elif any(content >> 48 != present for content in contents):
            reading.resends += 1
            reading.by_id += 1
        else:
            replaced.append(message.offset)
    for zh, en, offsets in (
        ("丢失", "LOST: in neither table, event_id nowhere", np.array(nowhere, np.int64)),
        ("丢失：编号相同而内容不同", "LOST: another message has its event_id", np.array(replaced, np.int64)),
    ):
        expired = tally.in_expired(offsets)
        reading.expired += int(expired.sum())
        reading.lost += int((~expired).sum())
        reading.fail(zh, en, tally.load.partition, offsets[~expired])


def _known(client: Client, wanted: set[bytes]) -> dict[bytes, set[int]]:
    """By event id (16 bytes), the contents stored under it in `events`."""
    ids, known = sorted(wanted), dict[bytes, set[int]]()
    for start in range(0, len(ids), _LOOKUP):
        lines = "\n".join(str(UUID(bytes=event_id)) for event_id in ids[start : start + _LOOKUP])
        data = ExternalData(file_name="wanted", data=lines.encode(), fmt="TSV", structure="id UUID")
        rows = columns(client, _KNOWN, {}, data)
        for event_id, content in zip(rows["event_id"], rows["content"], strict=True):
            known.setdefault(event_id, set()).add(int(content))
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
        for name in ("read", "accepted", "rejected", "resends", "by_id", "expired", "by_length", "absent", "lost")
    }
    figures["lag"] = sum(max(end - max(marks.get(p, -1) + 1, log.begins[p]), 0) for p, end in log.ends.items())
    figures["by_ledger_only"] = sum(offsets for offsets in expired if offsets > 0)
    skipped = ("快速模式未读 Kafka", "--quick: Kafka's messages were not read") if quick else None
    return Check(
        "completeness", "每条消息都有着落", "every message is accounted for", figures, merged(findings), skipped
    )

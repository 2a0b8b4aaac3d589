"""The rows that ClickHouse holds of a window of offsets, and whether they agree with the ledger.

For every range of the ledger, of the newest epoch:

- rows of `quarantine` = quarantined: its key is the offset, so merging removes only a row written twice
  (rows older than its TTL of 400 days may be missing);
- distinct offsets in `events` <= good: merging also removes a message whose event_id came again later. The difference,
  `merged_away`, is rows that must be found under another offset, which only reading Kafka can prove
  (`pipelines.verify.completeness`);
- no row of either table is at an offset outside all ranges, and no offset is in both tables.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from clickhouse_connect.driver.client import Client

from pipelines.verify.arrays import Ints, columns, dicts, ints
from pipelines.verify.ledger import Ranges
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged

_QUARANTINE_TTL = 400 * 86_400  # seconds; as in schemas/migrations/0001_events.sql

# UUIDStringToNum returns the 16 bytes in the order of the text, independent of the server's storage order.
_EVENTS = """
SELECT kafka_offset, UUIDStringToNum(toString(event_id)) AS event_id FROM events
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}
ORDER BY kafka_offset"""

_QUARANTINE = """
SELECT kafka_offset, toString(payload_sha256) AS payload_sha256, payload_bytes FROM quarantine FINAL
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}
ORDER BY kafka_offset"""

# Rows outside the ledger. A range begun after the ledger was read is covered by its row `before`.
_STRAY = """
SELECT topic_id, kafka_partition AS partition, count() AS rows, min(kafka_offset) AS first, max(kafka_offset) AS last
FROM
(
    SELECT topic_id, kafka_partition, kafka_offset FROM events WHERE topic = {topic:String}
    UNION ALL
    SELECT topic_id, kafka_partition, kafka_offset FROM quarantine WHERE topic = {topic:String}
) AS rows
LEFT JOIN
(
    SELECT topic_id, kafka_partition, min(first_offset) AS floor, max(last_offset) AS reach
    FROM ledger WHERE topic = {topic:String} GROUP BY ALL
) AS ledger USING (topic_id, kafka_partition)
WHERE reach IS NULL OR kafka_offset > reach OR kafka_offset < floor
GROUP BY ALL ORDER BY ALL
SETTINGS join_use_nulls = 1"""


@dataclass(frozen=True)
class Stored:
    """Rows of one partition between two offsets: of `events` (including doubles) and of `quarantine`."""

    offsets: Ints
    ids: npt.NDArray[np.void]  # event_id, 16 bytes
    rejected: Ints
    hashes: npt.NDArray[np.str_]  # id of the key (8 digits), then the first digits of the keyed hash of the bytes
    lengths: Ints  # of the rejected messages, in bytes


def read_stored(client: Client, load: Ranges, first: int, last: int) -> Stored:
    """The rows at the offsets `first`..`last` of the partition of `load`."""
    scope = {**load.where, "first": first, "last": last}
    events, rejects = columns(client, _EVENTS, scope), columns(client, _QUARANTINE, scope)
    return Stored(
        ints(events["kafka_offset"]),
        np.frombuffer(b"".join(events["event_id"]), "V16"),
        ints(rejects["kafka_offset"]),
        rejects["payload_sha256"],
        ints(rejects["payload_bytes"]),
    )


@dataclass
class Tally:
    """Counts the rows in each range of one partition, window by window."""

    load: Ranges
    epochs: int  # number of loads of this topic id; each may have left a row until the next merge
    events: Ints = field(init=False)
    rejected: Ints = field(init=False)
    findings: list[ProofFinding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.events = np.zeros(len(self.load.first), np.int64)
        self.rejected = np.zeros(len(self.load.first), np.int64)

    def add(self, stored: Stored) -> None:
        """Count one window."""
        distinct, times = np.unique(stored.offsets, return_counts=True)
        self._add_finding(
            "同一偏移量插入了多次", "one offset was inserted more than once", distinct[times > self.epochs]
        )
        both = np.intersect1d(distinct, stored.rejected)
        self._add_finding("同一偏移量两表都有", "one offset is in events and in quarantine", both)
        for offsets, counts in ((distinct, self.events), (stored.rejected, self.rejected)):
            inside, outside = self._ranges_of(offsets)
            np.add.at(counts, inside, 1)
            self._add_finding("行不在账本的任何区间内", "row is in no range of the ledger", outside)

    def _ranges_of(self, offsets: Ints) -> tuple[Ints, Ints]:
        at = np.searchsorted(self.load.first, offsets, "right") - 1
        inside = (at >= 0) & (offsets <= self.load.last[at])
        return at[inside], offsets[~inside]

    def _add_finding(self, zh: str, en: str, offsets: Ints) -> None:
        if len(offsets):
            examples = tuple({**self.load.where, "offset": int(offset)} for offset in offsets[:SHOWN])
            self.findings.append(ProofFinding("fails", zh, en, len(offsets), examples))

    @property
    def merged_away(self) -> int:
        """Number of rows that were inserted into `events` and are no longer there."""
        return int(np.maximum(self.load.good - self.events, 0).sum())

    def expired(self) -> npt.NDArray[np.bool_]:
        """By range, whether the TTL of `quarantine` may have removed its rejected messages."""
        return (self.load.quarantined > 0) & (self.load.written_at < time.time() - _QUARANTINE_TTL)

    def in_expired(self, offsets: Ints) -> npt.NDArray[np.bool_]:
        """By offset, whether it is in a range that is `expired`."""
        at = np.searchsorted(self.load.first, offsets, "right") - 1
        return (at >= 0) & self.expired()[at]

    def verdict(self) -> Iterator[ProofFinding]:
        """The findings, after every window was added."""
        yield from self.findings
        yield from self._compare(self.events > self.load.good, self.events, self.load.good, "events")
        differ = (self.rejected > self.load.quarantined) | ((self.rejected < self.load.quarantined) & ~self.expired())
        yield from self._compare(differ, self.rejected, self.load.quarantined, "quarantine")

    def _compare(self, wrong: npt.NDArray[np.bool_], rows: Ints, ledger: Ints, table: str) -> Iterator[ProofFinding]:
        at = np.flatnonzero(wrong)
        if len(at):
            zh, en = f"{table} 的行数与账本不符", f"rows in {table} contradict the ledger"
            examples = (
                {**self.load.place(int(i)), "found": int(rows[i]), "ledger": int(ledger[i])} for i in at[:SHOWN]
            )
            yield ProofFinding("fails", zh, en, len(at), tuple(examples))


def check_counts(client: Client, topic: str, tallies: Sequence[Tally], unproven: int) -> Check:
    """Whether the tables agree with the ledger. unproven: number of rows merged away whose messages were not read."""
    findings = [finding for tally in tallies for finding in tally.verdict()]
    findings += [
        ProofFinding(
            "fails", "行不在账本的任何区间内", "row is in no range of the ledger", int(stray["rows"]), (stray,)
        )
        for stray in dicts(client, _STRAY, {"topic": topic})
    ]
    if unproven:
        zh, en = "已合并的行未经 Kafka 证明", "rows merged away were not proven by reading Kafka"
        findings.append(ProofFinding("warns", zh, en, unproven))
    figures = {
        "good": sum(int(tally.load.good.sum()) for tally in tallies),
        "events": sum(int(tally.events.sum()) for tally in tallies),
        "merged_away": sum(tally.merged_away for tally in tallies),
        "quarantined": sum(int(tally.load.quarantined.sum()) for tally in tallies),
        "quarantine": sum(int(tally.rejected.sum()) for tally in tallies),
    }
    return Check("counts", "各表行数与账本相符", "the tables hold what the ledger says", figures, merged(findings))

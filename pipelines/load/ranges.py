"""Offset ranges, the stream they belong to, and how far it is loaded. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class OffsetRange(NamedTuple):
    """Offsets `first`..`last` of one partition, both included."""

    partition: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of offsets."""
        return self.last - self.first + 1

    def overlaps(self, other: "OffsetRange") -> bool:
        return self.partition == other.partition and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Stream:
    """Which topic is loaded, in which generation, by which writer: the same for the life of a process.

    `topic_id` is Kafka's own UUID of the topic, so that a recreated topic cannot be taken for the old one. `epoch` is
    the generation of the load: it is part of every token and grows only when a person starts the load from the
    beginning, since a retry after a crash must keep its token. `writer` grows with every process and fences the older
    ones.
    """

    topic: str
    topic_id: str
    epoch: int
    writer: int

    def token(self, offsets: OffsetRange) -> str:
        """What the insert_deduplication_token of a range begins with; table and digest follow."""
        return f"{self.epoch}:{self.topic_id}:{offsets.partition}:{offsets.first}-{offsets.last}"


class Totals(NamedTuple):
    """Messages of all finished ranges of a partition, by what became of them."""

    good: int = 0
    quarantined: int = 0
    duplicates: int = 0

    def plus(self, good: int, quarantined: int, duplicates: int) -> "Totals":
        return Totals(self.good + good, self.quarantined + quarantined, self.duplicates + duplicates)


@dataclass(frozen=True)
class LoadProgress:
    """How far the load is: the high-water mark of each partition, and the ranges begun but not finished.

    `begun`: by range, when its messages were judged at the first try (None: an older version did not record it).
    `lost`: ranges that Kafka deleted before they were loaded, and that a person has given up. `totals`: by partition.
    """

    high_water: Mapping[int, int] = field(default_factory=dict)
    begun: Mapping[OffsetRange, datetime | None] = field(default_factory=dict)
    lost: tuple[OffsetRange, ...] = ()
    totals: Mapping[int, Totals] = field(default_factory=dict)

    def next_offset(self, partition: int) -> int | None:
        """The offset that must come next, or None when the partition was never loaded."""
        mark = self.high_water.get(partition)
        behind = max((gap.last + 1 for gap in self.lost if gap.partition == partition), default=0)
        return None if mark is None else max(mark + 1, behind)

    def edges(self, partition: int) -> tuple[int, ...]:
        """Offsets at which chunks must be cut so that a range begun before keeps its token."""
        ranges = [begun for begun in self.begun if begun.partition == partition]
        return tuple(sorted({edge for begun in ranges for edge in (begun.first, begun.last + 1)}))

    def unfinished(self, offsets: OffsetRange) -> bool:
        """Whether rows of `offsets` may already be stored by a try that never finished."""
        return any(offsets.overlaps(begun) for begun in self.begun)

    def judged_at(self, offsets: OffsetRange, now: datetime) -> datetime:
        """The time that `offsets` are judged by: that of their first try, else `now`."""
        times = [time for begun, time in self.begun.items() if time and offsets.overlaps(begun)]
        return min(times, default=now)

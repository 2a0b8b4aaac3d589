"""Offset ranges, the stream they belong to, and how far it is loaded. Pure."""

from dataclasses import dataclass, field
from typing import NamedTuple


class OffsetRange(NamedTuple):
    """Offsets `first`..`last` of one partition, both included."""

    partition: int
    first: int
    last: int

    def overlaps(self, other: "OffsetRange") -> bool:
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

    def token(self, offsets: OffsetRange) -> str:
        """The insert_deduplication_token of a range, to be completed by the table's name."""
        return f"{self.epoch}:{self.topic_id}:{offsets.partition}:{offsets.first}-{offsets.last}"


@dataclass(frozen=True)
class LoadProgress:
    """Where the load stands: per partition the high-water mark, and the ranges begun but not finished.

    `lost`: ranges that Kafka deleted before they were loaded, and that a person has given up.
    """

    high_water: dict[int, int] = field(default_factory=dict)
    begun: tuple[OffsetRange, ...] = ()
    lost: tuple[OffsetRange, ...] = ()

    def next_offset(self, partition: int) -> int | None:
        """The offset that must come next, or None when the partition was never loaded."""
        mark = self.high_water.get(partition)
        behind = max((gap.last + 1 for gap in self.lost if gap.partition == partition), default=0)
        return None if mark is None else max(mark + 1, behind)

    def edges(self, partition: int) -> tuple[int, ...]:
        """Offsets at which chunks must be cut so that a range begun before keeps its token."""
        return tuple(sorted({edge for r in self.begun if r.partition == partition for edge in (r.first, r.last + 1)}))

    def unfinished(self, offsets: OffsetRange) -> bool:
        """Whether rows of `offsets` may already be in from a try that never finished."""
        return any(offsets.overlaps(begun) for begun in self.begun)

"""Check: the ledger accounts for every offset exactly once.

Per topic id, epoch and partition, the finished ranges begin where the log began and follow each other without a gap or
an overlap, and for each, last - first + 1 = good + quarantined + duplicates.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from clickhouse_connect.driver.client import Client

from pipelines.verify.arrays import Ints, columns, dicts, ints
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged

_LOADS = """
SELECT topic_id, epoch, kafka_partition FROM ledger WHERE topic = {topic:String}
GROUP BY ALL ORDER BY ALL"""

# A retry in another micro-batch may record a range again with the same figures: it counts once.
_FINISHED = """
SELECT first_offset AS first, last_offset AS last, good, quarantined, duplicates, count() AS written,
       toUnixTimestamp(min(written_at)) AS written_at
FROM ledger
WHERE topic = {topic:String} AND topic_id = {topic_id:String} AND epoch = {epoch:UInt32}
  AND kafka_partition = {partition:UInt16} AND phase = 'after'
GROUP BY first_offset, last_offset, good, quarantined, duplicates
ORDER BY first_offset, last_offset"""

_BEGUN = """
SELECT first_offset AS first, last_offset AS last,
       age('second', max(written_at), now64(3)) AS seconds
FROM ledger
WHERE topic = {topic:String} AND topic_id = {topic_id:String} AND epoch = {epoch:UInt32}
  AND kafka_partition = {partition:UInt16}
GROUP BY first_offset, last_offset
HAVING max(phase) = 'before'
ORDER BY first_offset, last_offset"""


@dataclass(frozen=True)
class Begun:
    """A range that was begun and not finished. seconds: since its latest try."""

    first: int
    last: int
    seconds: int


@dataclass(frozen=True)
class Ranges:
    """The ledger of one partition in one epoch: its distinct finished ranges, ordered by first offset."""

    topic_id: str
    epoch: int
    partition: int
    first: Ints
    last: Ints
    good: Ints
    quarantined: Ints
    duplicates: Ints
    written: Ints  # how often the same range was recorded
    written_at: Ints  # Unix seconds
    begun: tuple[Begun, ...] = ()

    @property
    def high_water(self) -> int:
        """The last finished offset; -1 when nothing is finished."""
        return int(self.last.max()) if len(self.last) else -1

    def place(self, i: int) -> dict[str, str | int]:
        """Topic id, epoch, partition and offsets of range `i`, as an example in a finding."""
        return {**self.where, "first": int(self.first[i]), "last": int(self.last[i])}

    @property
    def where(self) -> dict[str, str | int]:
        return {"topic_id": self.topic_id, "epoch": self.epoch, "partition": self.partition}


def read_ledger(client: Client, topic: str) -> list[Ranges]:
    """The ledger of `topic`: one entry per (topic_id, epoch, partition)."""
    return [_read(client, {"topic": topic, **load}) for load in dicts(client, _LOADS, {"topic": topic})]


def _read(client: Client, load: Mapping[str, str | int]) -> Ranges:
    scope = {**load, "partition": load["kafka_partition"]}
    finished = columns(client, _FINISHED, scope)
    begun = tuple(Begun(**{name: int(value) for name, value in row.items()}) for row in dicts(client, _BEGUN, scope))
    return Ranges(
        topic_id=str(load["topic_id"]),
        epoch=int(load["epoch"]),
        partition=int(load["kafka_partition"]),
        begun=begun,
        **{name: ints(values) for name, values in finished.items()},
    )


def check_ledger(loads: Iterable[Ranges], begins: Mapping[tuple[str, int], int], patience: int) -> Check:
    """Check the ledger by itself; only its beginning is compared with Kafka.

    Args:
        loads: as `read_ledger` returns them.
        begins: (topic_id, partition) -> first offset that Kafka still has, for the current topic.
        patience: seconds after which a range that was begun and not finished is a warning.
    """
    loads = list(loads)
    findings: list[ProofFinding] = []
    for load in loads:
        findings += _arithmetic(load)
        findings += _succession(load)
        findings += _beginning(load, begins.get((load.topic_id, load.partition)))
    for load in newest(loads):
        findings += _in_flight(load, patience)
    figures = {
        "partitions": len({(load.topic_id, load.partition) for load in loads}),
        "ranges": sum(len(load.first) for load in loads),
        "recorded_again": sum(int((load.written - 1).sum()) for load in loads),
        "offsets": sum(int((load.last - load.first + 1).sum()) for load in loads),
        "good": sum(int(load.good.sum()) for load in loads),
        "quarantined": sum(int(load.quarantined.sum()) for load in loads),
        "duplicates": sum(int(load.duplicates.sum()) for load in loads),
        "in_flight": sum(len(load.begun) for load in newest(loads)),
    }
    return Check("ledger", "账本连续、算术成立", "the ledger is contiguous and adds up", figures, merged(findings))


def newest(loads: Iterable[Ranges]) -> list[Ranges]:
    """The loads of each topic id's latest epoch; only these count."""
    loads = list(loads)
    epochs: dict[str, int] = {}
    for load in loads:
        epochs[load.topic_id] = max(load.epoch, epochs.get(load.topic_id, load.epoch))
    return [load for load in loads if load.epoch == epochs[load.topic_id]]


def _arithmetic(load: Ranges) -> Iterator[ProofFinding]:
    accounted = load.good + load.quarantined + load.duplicates
    wrong = np.flatnonzero((load.last - load.first + 1 != accounted) | (load.last < load.first))
    if len(wrong):
        zh, en = "区间的条数对不上", "range does not add up: last-first+1 is not good+quarantined+duplicates"
        examples = tuple({**load.place(int(i)), "accounted": int(accounted[i])} for i in wrong[:SHOWN])
        yield ProofFinding("fails", zh, en, len(wrong), examples)


def _succession(load: Ranges) -> Iterator[ProofFinding]:
    if len(load.first) < 2:
        return
    reached = np.maximum.accumulate(load.last)[:-1]
    same = (load.first[1:] == load.first[:-1]) & (load.last[1:] == load.last[:-1])
    cases = (
        (load.first[1:] > reached + 1, "账本有缺口", "gap: offsets between two ranges are in none"),
        ((load.first[1:] <= reached) & ~same, "账本区间重叠", "overlap: offsets are in two ranges"),
        (same, "同一区间记了不同的数", "one range was recorded with different figures"),
    )
    for hit, zh, en in cases:
        places = np.flatnonzero(hit)
        if len(places):
            examples = tuple({"after": int(reached[i]), **load.place(int(i) + 1)} for i in places[:SHOWN])
            yield ProofFinding("fails", zh, en, len(places), examples)


def _beginning(load: Ranges, begin: int | None) -> Iterator[ProofFinding]:
    if not len(load.first) or load.first[0] == 0 or begin is None:
        return
    first = int(load.first[0])
    if begin < first:
        zh, en = "开头未载入", "Kafka still has offsets before the first range"
        yield ProofFinding("fails", zh, en, 1, ({**load.where, "first": begin, "last": first - 1},))
    else:
        zh, en = "载入始于保留期之后", "the load began after retention had passed the first offsets"
        yield ProofFinding("warns", zh, en, 1, ({**load.where, "first": 0, "last": first - 1},))


def _in_flight(load: Ranges, patience: int) -> Iterator[ProofFinding]:
    recut = [b for b in load.begun if b.last <= load.high_water]
    stuck = [b for b in load.begun if b.last > load.high_water and b.seconds > patience]
    cases = (
        (recut, "区间改以别的边界载入", "range was begun, then loaded by other bounds"),
        (stuck, "区间已开始而久未完成", "range begun long ago and not finished: is the stream running?"),
    )
    for begun, zh, en in cases:
        if begun:
            examples = tuple({**load.where, **asdict(b)} for b in begun[:SHOWN])
            yield ProofFinding("warns", zh, en, len(begun), examples)

"""Messages that Kafka's retention deleted before they were loaded: detected by offsets, recorded and reported."""

from collections.abc import Iterable, Mapping

from clickhouse_connect.driver.client import Client

from pipelines.errors import PositionFault
from pipelines.load.ranges import LoadProgress, OffsetRange, Stream

_COLUMNS = ["topic", "topic_id", "kafka_partition", "first_offset", "last_offset", "writer"]


def gaps(progress: LoadProgress, beginnings: Mapping[int, int]) -> list[OffsetRange]:
    """The offsets behind the ledger that Kafka keeps no more; `beginnings`: its first offset by partition. Pure.

    A partition that was never loaded has no gap: the load begins where Kafka does.
    """
    nexts = {number: progress.next_offset(number) for number in sorted(beginnings)}
    return [
        OffsetRange(number, due, beginnings[number] - 1)
        for number, due in nexts.items()
        if due is not None and due < beginnings[number]
    ]


def record(client: Client, stream: Stream, found: Iterable[OffsetRange]) -> None:
    """Write them to the table `gaps`; found again, they are one row."""
    rows = [[stream.topic, stream.topic_id, *gap, stream.writer] for gap in found]
    client.insert("gaps", rows, column_names=_COLUMNS)


_OPEN = """
SELECT topic, topic_id, kafka_partition, first_offset, last_offset, writer FROM gaps FINAL
WHERE topic_id = {topic_id:String} AND NOT accepted ORDER BY ALL"""


def accept(client: Client, topic_id: str) -> list[OffsetRange]:
    """Give up what is recorded as lost, so that the load goes on behind it; the ranges given up by this call."""
    rows = client.query(_OPEN, {"topic_id": topic_id}).result_rows
    if rows:
        client.insert("gaps", [[*row, 1] for row in rows], column_names=[*_COLUMNS, "accepted"])
    return [OffsetRange(*map(int, row[2:5])) for row in rows]


def fault(found: Iterable[OffsetRange]) -> PositionFault:
    """The alarm, in one line."""
    told = "; ".join(f"partition {n}: {last - first + 1} messages, offsets {first}..{last}" for n, first, last in found)
    return PositionFault(
        f"消息未入库已被 Kafka 删除 Kafka deleted messages before they were loaded ({told}); recorded "
        "in the table gaps. 确认后 when you have seen it: gridstream stream resume --lost, then: gridstream up"
    )

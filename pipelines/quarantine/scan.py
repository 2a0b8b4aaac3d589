"""Find replayed messages in a Kafka topic by their headers."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pipelines.errors import TransientFault
from pipelines.quarantine.headers import Origin, origin
from pipelines.services import kafka
from pipelines.services.positions import Position

_POLL_MS = 10_000
_POLL_RECORDS = 20_000
_FETCH_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Scan:
    """The result of reading a topic. `positions`: where the messages of an origin are, by partition
    and offset; `beginnings`: the first offset of each partition that Kafka still had at the end of
    the scan; `read`: the number of messages read."""

    positions: Mapping[Origin, Sequence[Position]]
    beginnings: Mapping[int, int]
    read: int = 0


def scan(
    bootstrap: str, topic: str, starts: Mapping[int, int], advance: Callable[[int], None] = lambda offsets: None
) -> Scan:
    """Read `topic` from `starts` up to its end at the time of the call.

    starts: first offset by partition, 0 where missing. If Kafka has deleted that offset, reading
    starts at the first one that it still has. advance: called with the number of offsets passed
    since the last call.

    Raises:
        UserFault: there is no such topic.
        TransientFault: Kafka does not answer, or stops sending.
    """
    positions: dict[Origin, list[Position]] = defaultdict(list)
    read = 0
    ends, beginnings = kafka.end_offsets(bootstrap, topic), kafka.beginning_offsets(bootstrap, topic)
    with _consumer(bootstrap) as consumer:
        for partition, end in ends.items():
            first = max(beginnings[partition], starts.get(partition, 0))
            for record in _records(consumer, TopicPartition(topic, partition), first, end, advance):
                read += 1
                if replayed := origin(record.headers, topic):
                    positions[replayed].append(Position(partition, record.offset))
    return Scan(positions, kafka.beginning_offsets(bootstrap, topic), read)


@contextmanager
def _consumer(bootstrap: str) -> Iterator[KafkaConsumer]:
    """A consumer without a group. If retention deletes the offset to read next, it continues at the
    first one left."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            client_id="gridstream",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_poll_records=_POLL_RECORDS,
            max_partition_fetch_bytes=_FETCH_BYTES,
            check_crcs=False,  # the broker has checked them, and in Python they take more time than all the rest
        )
        try:
            yield consumer
        finally:
            consumer.close()
    except KafkaError as error:
        raise TransientFault(f"Kafka at {bootstrap}: {error}") from error


def _records(
    consumer: KafkaConsumer, partition: TopicPartition, first: int, end: int, advance: Callable[[int], None]
) -> Iterator[Any]:
    """The records at offsets first <= offset < end."""
    if first >= end:
        return
    consumer.assign([partition])
    consumer.seek(partition, first)
    next_offset = first
    while next_offset < end:
        records = consumer.poll(timeout_ms=_POLL_MS).get(partition, [])
        before, next_offset = next_offset, int(consumer.position(partition))
        if next_offset == before and not records:
            raise TransientFault(f"Kafka sends nothing from offset {before} of partition {partition.partition}")
        yield from (record for record in records if record.offset < end)
        advance(min(next_offset, end) - before)

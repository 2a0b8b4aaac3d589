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
_FETCH = 16 * 1024**2


@dataclass(frozen=True)
class Scan:
    """What was read of a topic. `found`: where messages of an origin stand, by partition and offset; `begins`: the
    first offset of each partition that Kafka still had when all was read; `read`: number of messages."""

    found: Mapping[Origin, Sequence[Position]]
    begins: Mapping[int, int]
    read: int = 0


def scan(bootstrap: str, topic: str, starts: Mapping[int, int], tell: Callable[[int], None] = lambda n: None) -> Scan:
    """Read `topic` from `starts` (first offset by partition, 0 where missing; where Kafka has that no more, from the
    first one it has) up to where it ends at the call.

    tell: called with the number of offsets passed since the last call.

    Raises:
        UserFault: there is no such topic.
        TransientFault: Kafka does not answer, or stops sending.
    """
    found: dict[Origin, list[Position]] = defaultdict(list)
    read = 0
    ends, begins = kafka.end_offsets(bootstrap, topic), kafka.beginning_offsets(bootstrap, topic)
    with _consumer(bootstrap) as consumer:
        for partition, end in ends.items():
            first = max(begins[partition], starts.get(partition, 0))
            for record in _records(consumer, TopicPartition(topic, partition), first, end, tell):
                read += 1
                came_from = origin(record.headers, topic)
                if came_from:
                    found[came_from].append(Position(partition, record.offset))
    return Scan(found, kafka.beginning_offsets(bootstrap, topic), read)


@contextmanager
def _consumer(bootstrap: str) -> Iterator[KafkaConsumer]:
    """Of no group. Where retention passes what is read meanwhile, it goes on with what is left."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            client_id="gridstream",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_poll_records=_POLL_RECORDS,
            max_partition_fetch_bytes=_FETCH,
            check_crcs=False,  # the broker checked them; in Python they cost more than all the rest
        )
        try:
            yield consumer
        finally:
            consumer.close()
    except KafkaError as error:
        raise TransientFault(f"Kafka at {bootstrap}: {error}") from error


def _records(
    consumer: KafkaConsumer, place: TopicPartition, first: int, end: int, tell: Callable[[int], None]
) -> Iterator[Any]:
    """Those at offsets first <= offset < end."""
    if first >= end:
        return
    consumer.assign([place])
    consumer.seek(place, first)
    at = first
    while at < end:
        records = consumer.poll(timeout_ms=_POLL_MS).get(place, [])
        before, at = at, int(consumer.position(place))
        if at == before and not records:
            raise TransientFault(f"Kafka sends nothing from offset {at} of partition {place.partition}")
        yield from (record for record in records if record.offset < end)
        tell(min(at, end) - before)

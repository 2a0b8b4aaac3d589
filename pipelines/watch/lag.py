"""How the stream is doing, from Kafka and the ledger: lag, rate, refusals. Read only.

Spark commits no consumer-group offsets, so lag is Kafka's end offset against the ledger's high-water
mark, and its age is the arrival time of the oldest message not yet loaded.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, TopicPartition

from pipelines.errors import TransientFault
from pipelines.services import kafka
from pipelines.services.queries import query_text

_POLL_MS = 3000


@dataclass(frozen=True)
class Lag:
    """`messages` not yet loaded, by partition; `seconds`: how long the oldest has waited (0 when none)."""

    by_partition: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def messages(self) -> int:
        return sum(self.by_partition.values())


@dataclass(frozen=True)
class LedgerFigures:
    """What the ledger says of a topic. Ages in seconds; `rows_per_second` over the last minute."""

    batch_id: int
    batch_rows: int
    batch_age_seconds: float
    rows_per_second: float
    good: int
    quarantined: int
    duplicates: int
    hour_quarantined: int
    hour_rows: int

    @property
    def quarantine_rate(self) -> float | None:
        """Share refused of the last hour's messages; None when there were none."""
        return self.hour_quarantined / self.hour_rows if self.hour_rows else None


def ledger_figures(client: Client, topic_id: str) -> LedgerFigures | None:
    """The ledger's figures, or None when nothing was loaded yet."""
    result = client.query(query_text("watch/ledger_figures.sql"), {"topic_id": topic_id})
    row = dict(zip(result.column_names, result.result_rows[0], strict=True))
    loaded = row["good"] + row["quarantined"] + row["duplicates"]
    return LedgerFigures(**row) if loaded else None


def high_water(client: Client, topic_id: str) -> dict[int, int]:
    """The last loaded offset, by partition; partitions never loaded are absent."""
    rows = client.query(query_text("watch/high_water.sql"), {"topic_id": topic_id}).result_rows
    return {int(partition): int(last) for partition, last in rows}


def current_lag(client: Client, bootstrap: str, topic: str) -> Lag:
    """What waits in Kafka.

    Raises:
        TransientFault, UserFault: as `pipelines.services.kafka` does.
    """
    loaded = high_water(client, kafka.topic_id(bootstrap, topic))
    ends, begins = kafka.end_offsets(bootstrap, topic), kafka.beginning_offsets(bootstrap, topic)
    nexts = {number: loaded.get(number, begins[number] - 1) + 1 for number in ends}
    waiting = {number: max(0, ends[number] - nexts[number]) for number in ends}
    oldest = _oldest(bootstrap, topic, {number: nexts[number] for number, count in waiting.items() if count})
    return Lag(waiting, max(0.0, time.time() - oldest) if oldest else 0.0)


def _oldest(bootstrap: str, topic: str, nexts: Mapping[int, int]) -> float | None:
    """When the oldest message at `nexts` arrived, in seconds since the epoch; None when there is none."""
    if not nexts:
        return None
    consumer = KafkaConsumer(bootstrap_servers=bootstrap.split(","), enable_auto_commit=False, max_poll_records=1)
    try:
        stamps = [_arrival(consumer, TopicPartition(topic, number), at) for number, at in nexts.items()]
    finally:
        consumer.close()
    return min((stamp for stamp in stamps if stamp), default=None)


def _arrival(consumer: KafkaConsumer, place: TopicPartition, offset: int) -> float | None:
    consumer.assign([place])
    consumer.seek(place, offset)
    found = consumer.poll(timeout_ms=_POLL_MS).get(place)
    return found[0].timestamp / 1000 if found else None


def wait_until_loaded(
    client: Client,
    bootstrap: str,
    topic: str,
    timeout: float,
    progress: Callable[[int], None] = lambda loaded: None,
) -> None:
    """Return when every message that was in the topic at the call has been loaded.

    progress: called with the number of messages loaded since the last call.

    Raises:
        TransientFault: not all were loaded within `timeout` seconds.
    """
    topic_id, ends = kafka.topic_id(bootstrap, topic), kafka.end_offsets(bootstrap, topic)
    deadline, left = time.monotonic() + timeout, None
    while left != 0:
        marks = high_water(client, topic_id)
        now_left = sum(max(0, end - marks.get(number, -1) - 1) for number, end in ends.items())
        progress((now_left if left is None else left) - now_left)
        left = now_left
        if left and time.monotonic() > deadline:
            raise TransientFault(f"{left} messages are still waiting after {timeout:.0f} s; see `gridstream status`")
        time.sleep(0.3 if left else 0)

"""The stream's lag and ledger figures, read from Kafka and ClickHouse. Read only.

Spark commits no consumer group offsets. Lag is therefore Kafka's end offset minus the next offset to load, which
follows from the ledger; its age is the time in Kafka of the oldest message not loaded.
"""

import time
from collections.abc import Callable, Mapping

from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, TopicPartition

from pipelines.errors import TransientFault
from pipelines.services import kafka
from pipelines.services.queries import query_text
from pipelines.watch.figures import Lag, LedgerFigures

_POLL_MS = 3000
_LOOK_SECONDS = 0.3  # between two reads of the ledger


def ledger_figures(client: Client, topic_id: str) -> LedgerFigures | None:
    """The ledger's figures, or None when nothing of the topic was loaded yet."""
    result = client.query(query_text("watch/ledger_figures.sql"), {"topic_id": topic_id})
    figures = LedgerFigures(**dict(zip(result.column_names, result.result_rows[0], strict=True)))
    return figures if figures.total else None


def next_offsets(client: Client, topic_id: str, beginnings: Mapping[int, int]) -> dict[int, int]:
    """The next offset to load, by partition; messages that were given up as lost are behind it.

    beginnings: Kafka's first offset of each partition, from which one that was never loaded begins.
    """
    rows = client.query(query_text("watch/next_offsets.sql"), {"topic_id": topic_id}).result_rows
    known = {int(partition): int(offset) for partition, offset in rows}
    return {partition: known.get(partition, beginning) for partition, beginning in beginnings.items()}


def current_lag(client: Client, bootstrap: str, topic: str) -> Lag:
    """The messages in Kafka that are not loaded.

    Raises:
        TransientFault, UserFault: as `pipelines.services.kafka` does.
    """
    begins, ends = kafka.beginning_offsets(bootstrap, topic), kafka.end_offsets(bootstrap, topic)
    nexts = next_offsets(client, kafka.topic_id(bootstrap, topic), begins)
    lag = {number: max(0, ends[number] - offset) for number, offset in nexts.items()}
    first_kept = {number: max(offset, begins[number]) for number, offset in nexts.items()}
    oldest = _oldest(bootstrap, topic, {n: offset for n, offset in first_kept.items() if offset < ends[n]})
    return Lag(lag, max(0.0, time.time() - oldest) if oldest else 0.0)


def _oldest(bootstrap: str, topic: str, offsets: Mapping[int, int]) -> float | None:
    """The earliest timestamp of the messages at `offsets`, in Unix seconds; None when there is none."""
    if not offsets:
        return None
    consumer = KafkaConsumer(bootstrap_servers=bootstrap.split(","), enable_auto_commit=False, max_poll_records=1)
    try:
        stamps = [_timestamp(consumer, TopicPartition(topic, number), offset) for number, offset in offsets.items()]
    finally:
        consumer.close()
    return min((stamp for stamp in stamps if stamp), default=None)


def _timestamp(consumer: KafkaConsumer, partition: TopicPartition, offset: int) -> float | None:
    consumer.assign([partition])
    consumer.seek(partition, offset)
    records = consumer.poll(timeout_ms=_POLL_MS).get(partition)
    return records[0].timestamp / 1000 if records else None


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
    topic_id, begins = kafka.topic_id(bootstrap, topic), kafka.beginning_offsets(bootstrap, topic)
    ends, deadline, before = kafka.end_offsets(bootstrap, topic), time.monotonic() + timeout, None
    while before != 0:
        nexts = next_offsets(client, topic_id, begins)
        left = sum(max(0, ends[number] - offset) for number, offset in nexts.items())
        progress((left if before is None else before) - left)
        before = left
        if left and time.monotonic() > deadline:
            raise TransientFault(f"{left} messages are still waiting after {timeout:.0f} s; see `gridstream status`")
        time.sleep(_LOOK_SECONDS if left else 0)

"""What the project's own topics are like, and that every compression that a producer may choose can be read."""

import time

import pytest
from kafka import KafkaProducer

from pipelines.quarantine.scan import scan
from pipelines.services.kafka import end_offsets
from pipelines.services.publish import Publisher, PublisherOptions
from pipelines.verify.kafka_log import TopicLog
from pipelines.watch.lag import current_lag
from tests.support.stack import Stack


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_is_read(stack: Stack, compression: str | None) -> None:
    with Publisher(stack.bootstrap, stack.topic, PublisherOptions(compression=compression)) as publisher:
        for number in range(50):
            publisher.send(b'{"text": "x"}' * 10, b"key %d" % number)
    assert scan(stack.bootstrap, stack.topic, {}).read == 50
    with TopicLog(stack.bootstrap, stack.topic) as log:
        read = [len(batch.values) for part, end in log.ends.items() if end for batch in log.read(part, 0, end - 1)]
    assert sum(read) == 50
    assert current_lag(stack.engineer, stack.bootstrap, stack.topic).messages == 50


def test_the_arrival_of_a_message_is_the_brokers_time(stack: Stack) -> None:
    producer = KafkaProducer(bootstrap_servers=stack.bootstrap)
    producer.send(stack.topic, b"{}", partition=0, timestamp_ms=1).get(timeout=30)
    producer.close()
    assert end_offsets(stack.bootstrap, stack.topic)[0] == 1
    lag = current_lag(stack.engineer, stack.bootstrap, stack.topic)
    assert lag.seconds < 300, f"a producer's clock counts: {time.time() - lag.seconds}"

"""Kafka loses what was not loaded, or the topic is created again: the stream stops, or starts from the beginning of the
topic, and never jumps.
"""

from kafka import KafkaAdminClient, TopicPartition

from pipelines.errors import GridstreamError
from pipelines.services import kafka
from pipelines.services.kafka import TopicSpec, ensure_topic
from pipelines.verify import verify
from tests.support.breaker import held, resume, send
from tests.support.stack import Stack, Streaming
from tests.support.wait import until


def delete_before(stack: Stack, partition: int, offset: int) -> None:
    """What retention does: forget the partition's messages before `offset`."""
    admin = KafkaAdminClient(bootstrap_servers=stack.bootstrap)
    admin.delete_records({TopicPartition(stack.topic, partition): offset})
    admin.close()


def test_retention_passes_what_is_not_loaded(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, 0, lambda number: False, 100)
        stack.wait_until_loaded()
    send(stack, 0, lambda number: False, 100)
    delete_before(stack, 0, 150)
    for _ in range(2):  # a restart does not jump either
        with streaming() as process:
            assert process.wait(90) == 3
        assert stack.state is not None and stack.state.condition == "failed"
        assert "partition 0: 50 messages, offsets 100..149" in stack.state.reason
    assert stack.engineer.query("SELECT kafka_partition, first_offset, last_offset FROM gaps FINAL").result_rows == [
        (0, 100, 149)
    ]
    assert stack.scalar("SELECT count() FROM events FINAL") == 100
    assert resume(stack, "--lost").returncode == 0
    assert resume(stack, "--lost").returncode == 2  # nothing is left to give up
    with streaming():
        counted = "SELECT count() FROM events FINAL"
        until(lambda: stack.scalar(counted) == 150, "the messages behind the gap")
        send(stack, 0, lambda number: False, 100)
        stack.wait_until_loaded()
    assert stack.scalar(counted) == 250
    config = stack.settings
    report = verify(stack.bootstrap, stack.topic, config.clickhouse("engineer"), config.hash_key_bytes())
    gaps = report.check("ledger").findings
    assert [finding.en for finding in gaps] == ["gap: offsets between two ranges are in none"]


def test_retention_passes_a_running_stream(stack: Stack, streaming: Streaming) -> None:
    """The messages go while the circuit breaker holds them back."""
    with streaming() as process:
        send(stack, 0, lambda number: False, 100)
        stack.wait_until_loaded()
        send(stack, 0, lambda number: True, 600)
        until(lambda: held(stack), "the breaker")
        delete_before(stack, 0, 150)
        assert resume(stack, "--accept").returncode == 0
        assert process.wait(120) == 3
    assert stack.state is not None and "offsets 100..149" in stack.state.reason
    assert stack.scalar("SELECT count() FROM events FINAL") == 100
    assert stack.scalar("SELECT count() FROM gaps FINAL") == 1


def test_a_topic_created_again_is_loaded_from_its_beginning(stack: Stack, streaming: Streaming) -> None:
    counted = "SELECT count() FROM events FINAL WHERE topic_id = {topic_id:String}"
    with streaming() as process:
        send(stack, 0, lambda number: False, 100)
        stack.wait_until_loaded()
        old = kafka.topic_id(stack.bootstrap, stack.topic)
        kafka.delete_topic(stack.bootstrap, stack.topic)
        until(lambda: made(stack), "the new topic")
        send(stack, 0, lambda number: False, 300)  # beyond the old position before the stream can notice
        new = kafka.topic_id(stack.bootstrap, stack.topic)
        assert new != old
        until(lambda: process.poll() or stack.scalar(counted, topic_id=new) == 300, "the new topic's messages", 150)
        print("exit code", process.poll())
    with streaming():  # where it stopped because there was no topic for a moment, the supervisor starts it again
        stack.wait_until_loaded()
    assert [stack.scalar(counted, topic_id=name) for name in (old, new)] == [100, 300]


def made(stack: Stack) -> bool:
    """Kafka refuses the name until the deletion is complete."""
    try:
        return ensure_topic(stack.bootstrap, TopicSpec(stack.topic, 2, 14, 16 * 2**20))
    except GridstreamError:
        return False

"""Kafka admin calls: topics, their ids, and the first and last offsets of their partitions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from kafka import KafkaAdminClient, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, OffsetSpec

from pipelines.errors import TransientFault, UserFault

_DAY_MS = 86_400_000

# A person must act on these; all other errors of Kafka are transient.
_PERMANENT = (
    kafka_errors.AuthorizationError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.InvalidTopicError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidConfigurationError,
    kafka_errors.PolicyViolationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedVersionError,
)


@dataclass(frozen=True)
class TopicSpec:
    """The configuration of a topic. All but the number of partitions also changes an existing topic."""

    name: str
    partitions: int
    retention_days: int
    max_message_bytes: int
    replication: int = 1

    def configs(self) -> dict[str, str]:
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_days * _DAY_MS),
            "max.message.bytes": str(self.max_message_bytes),
            # The broker's clock: lag, timeliness and retention must not depend on the clocks of producers.
            "message.timestamp.type": "LogAppendTime",
        }


@contextmanager
def admin(bootstrap: str, timeout: float = 15.0) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end; Kafka's errors become faults. `timeout` in seconds.

    Raises:
        TransientFault: no broker answers at `bootstrap`, or the cluster is not ready.
        UserFault: the address, the rights or the configuration are wrong.
    """
    client = None
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=int(timeout * 1000),
            request_timeout_ms=int(timeout * 1000),
            client_id="gridstream",
        )
        yield client
    except _PERMANENT as error:
        raise UserFault(f"Kafka 拒绝请求 refuses the request ({bootstrap}): {_line(error)}") from error
    except (kafka_errors.KafkaError, OSError) as error:
        raise TransientFault(f"Kafka does not answer at {bootstrap}: {_line(error)}") from error
    except ValueError as error:
        raise UserFault(f"GRIDSTREAM_KAFKA={bootstrap!r} 须形如 must look like host:9092,host:9092") from error
    finally:
        if client is not None:
            client.close()


def _line(error: BaseException) -> str:
    """The name and description of an error, without the request that the text of a broker's error
    repeats."""
    meaning = getattr(error, "description", None) if isinstance(error, kafka_errors.BrokerResponseError) else error
    text = str(meaning or "").removeprefix(f"{type(error).__name__}: ")
    return " ".join(f"{type(error).__name__} {text}".split())[:200]


def _describe(client: KafkaAdminClient, topic: str) -> dict[str, Any]:
    description: dict[str, Any] = client.describe_topics([topic])[0]
    code = description.get("error_code", 0)
    if code == kafka_errors.UnknownTopicOrPartitionError.errno:
        raise UserFault(f"Kafka 没有主题 has no topic {topic!r}; 创建 create it with: gridstream up")
    if code:
        raise kafka_errors.for_code(code)(topic)
    return description


class Topic(NamedTuple):
    """What Kafka says of a topic: its id (a recreated topic has another one), its partition numbers in order."""

    id: str
    partitions: tuple[int, ...]


def describe(bootstrap: str, topic: str) -> Topic:
    """The topic's id and partitions, in one request.

    Raises:
        UserFault: there is no such topic, or the broker is older than 2.8 and has no topic ids.
        TransientFault: Kafka does not answer.
    """
    with admin(bootstrap) as client:
        described = _describe(client, topic)
    topic_id = described.get("topic_id")
    if not topic_id or UUID(str(topic_id)).int == 0:
        raise UserFault(
            f"Kafka 没有主题编号 has no topic ids ({bootstrap}): 须 2.8 以上 version 2.8 or newer is required"
        )
    return Topic(str(topic_id), _numbers(described))


def topic_id(bootstrap: str, topic: str) -> str:
    """Kafka's own UUID of `topic`. Raises as `describe` does."""
    return describe(bootstrap, topic).id


def partitions(bootstrap: str, topic: str) -> tuple[int, ...]:
    """Partition numbers of `topic`, ascending. Raises as `describe` does."""
    with admin(bootstrap) as client:
        return _numbers(_describe(client, topic))


def _numbers(described: Any) -> tuple[int, ...]:
    return tuple(sorted(part["partition_index"] for part in described["partitions"]))


def beginning_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """First offset still kept, by partition. Raises as `describe` does."""
    return _offsets(bootstrap, topic, OffsetSpec.EARLIEST)


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """Offset the next message will get, by partition. Raises as `describe` does."""
    return _offsets(bootstrap, topic, OffsetSpec.LATEST)


def _offsets(bootstrap: str, topic: str, spec: OffsetSpec) -> dict[int, int]:
    with admin(bootstrap) as client:
        specs = {TopicPartition(topic, number): spec for number in _numbers(_describe(client, topic))}
        offsets = client.list_partition_offsets(specs)
        return {partition.partition: int(info.offset) for partition, info in sorted(offsets.items())}


def ensure_topic(bootstrap: str, spec: TopicSpec) -> bool:
    """Create the topic if it is missing (True), or update its retention and message size (False).

    The number of partitions of an existing topic is not changed: with more partitions, the later
    messages of a grid would go to another partition.
    """
    with admin(bootstrap) as client:
        if spec.name in client.list_topics():
            client.alter_configs([ConfigResource("topic", spec.name, configs=spec.configs())])
            return False
        options = {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": spec.configs(),
        }
        try:
            client.create_topics({spec.name: options}, wait_for_metadata=True)
        except kafka_errors.TopicAlreadyExistsError:
            return False
        return True


def delete_topic(bootstrap: str, topic: str) -> None:
    """Delete a topic with all its messages. Raises as `describe` does."""
    with admin(bootstrap) as client:
        client.delete_topics([topic])

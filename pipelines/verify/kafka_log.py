"""Reads the topic: the offsets that exist, and the event_id of each message.

Knows nothing of the contract. A message is its bytes; its id is the value of `event_id`, if there is one that can be
read.
"""

import hmac
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from pipelines.errors import TransientFault, UserFault
from pipelines.verify.arrays import Ints

_POLL_RECORDS = 20_000
_POLL_MS = 10_000
_FETCH_BYTES = 16 * 1024**2
_BOOTSTRAP_MS = 10_000
_NO_ID = bytes(16)


class _Identity(msgspec.Struct, gc=False):
    event_id: uuid.UUID | None = None


_decoder = msgspec.json.Decoder(_Identity)


@dataclass(frozen=True)
class Batch:
    """Messages of one partition in offset order. ids: 16 bytes each. has_id: whether one could be read; the id is zeros
    where it could not, and also where it is the nil UUID."""

    offsets: Ints
    ids: npt.NDArray[np.void]
    has_id: npt.NDArray[np.bool_]
    values: Sequence[bytes]

    def keyed_hash(self, i: int, key: bytes) -> str:
        """HMAC-SHA256 of message `i`, in hexadecimal."""
        return hmac.digest(key, self.values[i], "sha256").hex()

    def content(self, i: int, key: bytes) -> int:
        """What `events.content` is of message `i`, which has an event_id: 16 bits that name the key, then 48 of the
        HMAC-SHA256 of its JSON with sorted keys and event_id in lower case; 0 when it cannot be written so."""
        try:
            document = msgspec.json.decode(self.values[i])
            document["event_id"] = str(document["event_id"]).lower()
            sorted_json = msgspec.json.encode(document, order="sorted")
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
            return 0
        return (key_bits(key) << 48) | int.from_bytes(hmac.digest(key, sorted_json, "sha256")[:6])


def key_bits(key: bytes) -> int:
    """The 16 bits that name the key in `events.content`."""
    return int.from_bytes(hmac.digest(key, b"gridstream key id", "sha256")[:2])


def event_id(value: bytes) -> bytes | None:
    """The message's event_id as 16 bytes; None when it has none that can be read."""
    try:
        identity = _decoder.decode(value).event_id
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return identity.bytes if identity else None


class TopicLog:
    """A topic read by offset, without a consumer group.

    Raises, from every method that asks Kafka:
        UserFault: there is no such topic.
        TransientFault: Kafka does not answer.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self._where = f"Kafka at {bootstrap}"
        try:
            self.topic_id = _topic_id(bootstrap, topic)
            self._consumer = KafkaConsumer(
                bootstrap_servers=bootstrap,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                check_crcs=False,  # the broker checked them; in Python they take longer than everything else
                max_poll_records=_POLL_RECORDS,
                max_partition_fetch_bytes=_FETCH_BYTES,
            )
            partitions = sorted(self._consumer.partitions_for_topic(topic) or ())
            wanted = [TopicPartition(topic, partition) for partition in partitions]
            begins, ends = self._consumer.beginning_offsets(wanted), self._consumer.end_offsets(wanted)
            self.begins: dict[int, int] = {tp.partition: int(offset) for tp, offset in begins.items()}
            self.ends: dict[int, int] = {tp.partition: int(offset) for tp, offset in ends.items()}
        except KafkaError as error:
            raise TransientFault(f"{self._where} does not answer: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self, partition: int, first: int, last: int) -> Iterator[Batch]:
        """The messages at offsets `first`..`last`, without those that retention has deleted meanwhile."""
        at = TopicPartition(self.topic, partition)
        self._consumer.assign([at])
        self._consumer.seek(at, first)
        while self._consumer.position(at) <= last:
            records = [record for record in self._poll(at) if record.offset <= last]
            if records:
                yield _batch(records)

    def _poll(self, at: TopicPartition) -> list[Any]:
        before = self._consumer.position(at)
        try:
            records = self._consumer.poll(timeout_ms=_POLL_MS).get(at, [])
        except OffsetOutOfRangeError:
            self.begins[at.partition] = int(self._consumer.beginning_offsets([at])[at])
            self._consumer.seek(at, max(before, self.begins[at.partition]))
            return []
        except KafkaError as error:
            raise TransientFault(f"{self._where}: {error}") from error
        if not records and self._consumer.position(at) == before:
            raise TransientFault(f"{self._where} sends nothing from offset {before} of partition {at.partition}")
        return records  # type: ignore[no-any-return]


def _batch(records: list[Any]) -> Batch:
    values = [record.value or b"" for record in records]
    offsets = np.fromiter((record.offset for record in records), np.int64, len(records))
    ids = [event_id(value) for value in values]
    has_id = np.fromiter((identity is not None for identity in ids), np.bool_, len(ids))
    return Batch(offsets, np.frombuffer(b"".join(identity or _NO_ID for identity in ids), "V16"), has_id, values)


def _topic_id(bootstrap: str, topic: str) -> str:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=_BOOTSTRAP_MS)
    try:
        description: dict[str, Any] = next(iter(admin.describe_topics([topic])), {})
    finally:
        admin.close()
    if not description.get("partitions"):
        raise UserFault(
            f"Kafka 中没有这个主题 Kafka has no topic {topic}; 检查 check GRIDSTREAM_TOPIC, 或 or: gridstream up"
        )
    return str(description["topic_id"])

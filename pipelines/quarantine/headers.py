"""The Kafka headers of a replayed message: its position when it was rejected, and the number of the
attempt."""

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.quarantine.message import Claim, RejectedMessage

HEADERS = ("gridstream-topic", "gridstream-partition", "gridstream-offset", "gridstream-attempt")


class Origin(NamedTuple):
    """What the headers of a replayed message say: its position when it was rejected, and the
    attempt, from 1."""

    partition: int
    offset: int
    attempt: int

    @classmethod
    def of(cls, message: RejectedMessage | Claim) -> "Origin":
        """What the headers say when `message` is sent again."""
        return cls(message.partition, message.offset, message.attempts + 1)


def headers(topic: str, message: RejectedMessage) -> list[tuple[str, bytes]]:
    """The headers to send `message` with; their values are decimal text."""
    values = (topic, *Origin.of(message))
    return [(name, str(value).encode()) for name, value in zip(HEADERS, values, strict=True)]


def origin(headers: Sequence[tuple[str, bytes | None]], topic: str) -> Origin | None:
    """The origin of a message with these headers; None if it is not a replay of a message rejected
    in `topic`."""
    by_name = dict(headers)
    values = [by_name.get(name) or b"" for name in HEADERS]
    if values[0] != topic.encode() or not all(value.isdigit() for value in values[1:]):
        return None
    return Origin(*map(int, values[1:]))

"""The headers of a replayed message: its position when it was rejected, and the number of the attempt."""

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.quarantine.selection import Waiting

# Names of the headers a replayed message carries: where it stood when it was rejected, and how often it was sent again.
HEADERS = ("gridstream-topic", "gridstream-partition", "gridstream-offset", "gridstream-attempt")


class Origin(NamedTuple):
    """What the headers of a message say: its place when it was rejected, and how often it was sent again."""

    partition: int
    offset: int
    attempt: int


def headers(topic: str, message: Waiting) -> list[tuple[str, bytes]]:
    """Provenance: original topic, partition, offset, and the number of this attempt, as decimal text."""
    values = (topic, message.partition, message.offset, message.attempts + 1)
    return [(name, str(value).encode()) for name, value in zip(HEADERS, values, strict=True)]


def origin(headers: Sequence[tuple[str, bytes | None]], topic: str) -> Origin | None:
    """Where a message with these headers came from; None for one that was not rejected in `topic`."""
    said = dict(headers)
    values = [said.get(name) or b"" for name in HEADERS]
    if values[0] != topic.encode() or not all(value.isdigit() for value in values[1:]):
        return None
    return Origin(*map(int, values[1:]))

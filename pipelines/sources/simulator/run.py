"""Sends a simulated city to Kafka, block by block, and writes the manifest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pipelines.services.publish import Publisher
from pipelines.sources.simulator.manifest import ManifestWriter, Sent

BLOCK = 10_000  # messages between two flushes


@dataclass
class Tally:
    """Acknowledged messages by kind and by partition."""

    kinds: Counter[str] = field(default_factory=Counter)
    partitions: Counter[int] = field(default_factory=Counter)

    @property
    def messages(self) -> int:
        return sum(self.kinds.values())


def blocks(messages: Iterable[Sent], size: int = BLOCK) -> Iterator[list[Sent]]:
    """The messages in lists of `size`."""
    stream = iter(messages)
    while block := list(islice(stream, size)):
        yield block


def send(
    parts: Iterable[list[Sent]],
    publisher: Publisher,
    manifest: ManifestWriter | None,
    advance: Callable[[int], None] = lambda count: None,
) -> Tally:
    """Sends list by list. Each list is written to the manifest before it is sent, and its positions afterwards.

    Raises:
        TransientFault: Kafka did not acknowledge in time.
    """
    tally = Tally()
    for part in parts:
        if manifest:
            manifest.intend(part)
        for sent in part:
            publisher.send(sent.value, sent.grid.encode())
        positions = publisher.flush()
        if manifest:
            manifest.acknowledge(positions)
        tally.kinds.update(sent.kind for sent in part)
        tally.partitions.update(position.partition for position in positions)
        advance(len(part))
    return tally


def pretend(parts: Iterable[list[Sent]], advance: Callable[[int], None] = lambda count: None) -> Tally:
    """Counts the messages without sending them."""
    tally = Tally()
    for part in parts:
        tally.kinds.update(sent.kind for sent in part)
        advance(len(part))
    return tally

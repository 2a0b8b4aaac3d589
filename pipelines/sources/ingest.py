"""The rows of a source into Kafka. Every row is accounted for: sent, or listed with the reason."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from pipelines.services.publish import Publisher
from pipelines.sources.source import FileFinding, Source

BLOCK = 10_000  # messages between two flushes
_EXAMPLES = 20


@dataclass
class Ingested:
    """The result for a source: `rows` = `sent` + `problems`.

    examples: the first rows that could not become messages, with the reason. unmapped: rows by category that the
    crosswalk does not list. types: rows by source_type. partitions: acknowledged messages by partition.
    """

    rows: int = 0
    sent: int = 0
    problems: int = 0
    examples: list[str] = field(default_factory=list)
    unmapped: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    partitions: Counter[int] = field(default_factory=Counter)
    findings: tuple[FileFinding, ...] = ()

    @property
    def nothing_survived(self) -> bool:
        """Whether there were rows and none became a message."""
        return self.rows > 0 and self.sent == 0


def ingest(
    source: Source,
    publisher: Publisher | None,
    limit: int | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> Ingested:
    """Sends the messages of the first `limit` rows of `source`; checks only, if there is no publisher.

    Raises:
        TransientFault: Kafka did not acknowledge in time. A second run sends the same messages.
    """
    result = Ingested()
    for mapped in islice(source.messages(), limit):
        result.rows += 1
        advance(1)
        if mapped.message is None:
            result.problems += 1
            if len(result.examples) < _EXAMPLES:
                result.examples.append(f"第 {mapped.row} 行 row {mapped.row}: {mapped.problem}")
            continue
        if mapped.category:
            result.unmapped[mapped.category] += 1
        result.types[mapped.message["source_type"]] += 1
        result.sent += 1
        if publisher:
            publisher.send(msgspec.json.encode(mapped.message), mapped.message["grid_code"].encode())
            if publisher.waiting >= BLOCK:
                _flush(publisher, result)
    if publisher:
        _flush(publisher, result)
    result.findings = source.findings()
    return result


def _flush(publisher: Publisher, result: Ingested) -> None:
    result.partitions.update(position.partition for position in publisher.flush())

"""A file's rows into Kafka, every row accounted for: sent, or listed with the reason why not."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from pipelines.services.publish import Publisher
from pipelines.sources.source import FileFinding, Source

BLOCK = 10_000  # messages between two flushes
_SHOWN = 20


@dataclass
class Ingested:
    """What became of a file. `rows` = `sent` + `problems`; `unmapped`: categories without a crosswalk
    entry; `examples`: the first rows that could not become messages, with the reason."""

    rows: int = 0
    sent: int = 0
    problems: int = 0
    examples: list[str] = field(default_factory=list)
    unmapped: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    partitions: Counter[int] = field(default_factory=Counter)
    findings: tuple[FileFinding, ...] = ()


def ingest(
    source: Source,
    publisher: Publisher | None,
    limit: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Ingested:
    """Sends the rows of `source`, the first `limit` of them; without a publisher everything but that.

    Raises:
        TransientFault: Kafka did not acknowledge in time. Running it again counts nothing twice.
    """
    done, waiting = Ingested(), 0
    for mapped in islice(source.messages(), limit):
        done.rows += 1
        advance(1)
        if mapped.message is None:
            done.problems += 1
            if len(done.examples) < _SHOWN:
                done.examples.append(f"row {mapped.row}: {mapped.problem}")
            continue
        if mapped.category:
            done.unmapped[mapped.category] += 1
        done.types[str(mapped.message.get("source_type", ""))] += 1
        done.sent += 1
        if publisher:
            publisher.send(msgspec.json.encode(mapped.message), mapped.message["grid_code"].encode())
            waiting += 1
            if waiting >= BLOCK:
                done.partitions.update(place.partition for place in publisher.flush())
                waiting = 0
    if publisher:
        done.partitions.update(place.partition for place in publisher.flush())
    done.findings = source.findings()
    return done

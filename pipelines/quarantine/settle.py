"""Rejected messages that a run claimed and then left: whether they were sent is read in Kafka, and recorded.

Whoever dies after claiming a message leaves it at `replaying`. Found in the topic, by its headers, it is recorded as
replayed; not found, its claim is released and it waits again. Where that cannot be known it stays as it is.

Only claims older than `SAFE_AGE` are looked at, since by then nobody sends any more: a run hands messages to the
producer for `replay.HANDOVER` (5 minutes) after its claim, which takes the last one within `max_block_ms` (1 minute,
kafka-python's default) and gives up what is not acknowledged within `delivery_timeout_ms` (2 minutes, by
`PublisherOptions` and by default). These are 8 minutes.

What is sent for a claim stands behind every offset that was loaded before the claim, by ClickHouse's clock for both;
from there the topic is read. Timestamps in Kafka are the senders' own, so they decide nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from clickhouse_connect.driver.client import Client

from pipelines.quarantine.headers import Origin
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.scan import Scan, scan
from pipelines.services import kafka
from pipelines.services.positions import Position
from pipelines.services.queries import query_text

SAFE_AGE = 600  # seconds

Starts = Mapping[int, Mapping[int, int]]  # of claims at a time in ms: the first offset by partition, 0 where missing


class Claim(NamedTuple):
    """A message at `replaying`. `millis`: its first claim, since the epoch; `age`: seconds since its last one; `run`,
    `fix`: who claimed it first, and the repair; `runs`: all that claim it; `namesake`: another message, of an earlier
    topic of this name, carries the same headers."""

    topic_id: str
    partition: int
    offset: int
    attempt: int
    millis: int
    age: int
    run: UUID
    fix: str
    runs: Sequence[UUID]
    namesake: bool

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic_id, self.partition, self.offset

    @property
    def attempts(self) -> int:
        """How often it was sent before this claim."""
        return self.attempt - 1

    @property
    def position(self) -> Position:
        return Position(self.partition, self.offset)

    @property
    def origin(self) -> Origin:
        """What its headers say, if it was sent."""
        return Origin(self.partition, self.offset, self.attempt)


class Unknown(NamedTuple):
    """One of which nobody can know whether it was sent. `why`: `retention` (Kafka no longer has what was sent then),
    `topic_anew` (it was rejected in an earlier topic of this name) or `namesake` (two could be the one found)."""

    message: Claim
    why: str


@dataclass
class Settled:
    """What became of each one, or in a dry run would. `recent`: claims too young to be looked at; `read`: messages read
    in Kafka; `given_up`: whether the unknown ones are discarded."""

    replayed: list[tuple[Claim, Position]] = field(default_factory=list)
    released: list[Claim] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    recent: int = 0
    read: int = 0
    given_up: bool = False

    @property
    def why_unknown(self) -> Counter[str]:
        return Counter(one.why for one in self.unknown)


def stuck(client: Client, topic: str) -> list[Claim]:
    """All messages of `topic` at `replaying`, whatever their age; the oldest claim first."""
    return [Claim(*row) for row in client.query(query_text("quarantine/stuck.sql"), {"topic": topic}).result_rows]


def settle(
    client: Client,
    bootstrap: str,
    topic: str,
    *,
    older_than: int = SAFE_AGE,
    give_up: bool = False,
    dry_run: bool = False,
    watch: Callable[[int], None] = lambda passed: None,
) -> Settled:
    """Find out and, unless in a `dry_run`, record what became of each message that is at `replaying` for at least
    `older_than` seconds. `give_up`: discard what cannot be known. `watch`: called with the number of offsets read.

    Raises:
        UserFault: Kafka has no such topic.
        TransientFault: Kafka does not answer.
    """
    claimed = stuck(client, topic)
    old = [one for one in claimed if one.age >= older_than]
    settled = _settled(client, bootstrap, topic, old, watch) if old else Settled()
    settled.recent, settled.given_up = len(claimed) - len(old), give_up
    if not dry_run:
        record(client, settled)
    return settled


def _settled(client: Client, bootstrap: str, topic: str, old: Sequence[Claim], watch: Callable[[int], None]) -> Settled:
    topic_id = kafka.topic_id(bootstrap, topic)
    starts = starting(client, topic_id, {one.millis for one in old})
    earliest = starts[min(starts)]
    return decide(old, topic_id, starts, scan(bootstrap, topic, earliest, watch))


def starting(client: Client, topic_id: str, moments: Iterable[int]) -> Starts:
    """Where what was sent at each of `moments` (ms since the epoch) or later can begin, by partition."""
    starts: dict[int, dict[int, int]] = {moment: {} for moment in moments}
    scope = {"topic_id": topic_id, "moments": list(starts)}
    for moment, partition, last in client.query(query_text("quarantine/in_kafka.sql"), scope).result_rows:
        starts[moment][partition] = last + 1
    return starts


def decide(claimed: Iterable[Claim], topic_id: str, starts: Starts, seen: Scan) -> Settled:
    """What became of each, by what was `seen` of the topic with this id; in their order."""
    settled = Settled(read=seen.read)
    for one in claimed:
        start = starts[one.millis]
        at = next((at for at in seen.found.get(one.origin, ()) if at.offset >= start.get(at.partition, 0)), None)
        passed = any(begin > start.get(partition, 0) for partition, begin in seen.begins.items())
        if one.namesake:
            settled.unknown.append(Unknown(one, "namesake"))
        elif at:
            settled.replayed.append((one, at))
        elif passed or one.topic_id != topic_id:
            settled.unknown.append(Unknown(one, "retention" if one.topic_id == topic_id else "topic_anew"))
        else:
            settled.released.append(one)
    return settled


def record(client: Client, settled: Settled) -> None:
    """Write it down in the name of the runs that claimed them: a repair stays known, and only their claims end."""
    sent: dict[tuple[UUID, str], list[tuple[Claim, Position]]] = defaultdict(list)
    for one, at in settled.replayed:
        sent[one.run, one.fix].append((one, at))
    for (run, fix), pairs in sent.items():
        Journal(client, fix, run).sent([one for one, _ in pairs], [at for _, at in pairs])
    for run, members in _by_run((run, one) for one in settled.released for run in one.runs).items():
        Journal(client, run=run).released(members)
    given_up = settled.unknown if settled.given_up else ()
    for run, members in _by_run((one.message.run, one.message) for one in given_up).items():
        Journal(client, run=run).discarded(members)


def _by_run(claims: Iterable[tuple[UUID, Claim]]) -> dict[UUID, list[Claim]]:
    grouped: dict[UUID, list[Claim]] = defaultdict(list)
    for run, one in claims:
        grouped[run].append(one)
    return grouped

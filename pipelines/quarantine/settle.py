"""Settle the claims that a dead replay left: find out in Kafka whether the messages were sent, and
record it.

A run that dies after claiming a message leaves it at `replaying`. If the message is found in the
topic, by its headers, it is recorded as replayed. If it is not there, its claim is released and it
waits again. If neither can be determined, nothing is changed.

Only claims older than `SAFE_AGE` are looked at, because by then their run cannot send any more: it
hands messages to the producer for at most `replay.HANDOVER` (5 minutes) after the claim; the
producer takes the last one within `max_block_ms` (1 minute, kafka-python's default) and gives up
what is not acknowledged within `delivery_timeout_ms` (2 minutes, by `PublisherOptions` and by
default). Together that is 8 minutes.

A message sent for a claim has a larger offset than all messages that were loaded before the claim,
by ClickHouse's clock for both; so the topic is read from there. Timestamps in Kafka are not used:
in topics that this program did not create they may be set by the senders.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from clickhouse_connect.driver.client import Client

from pipelines.quarantine.headers import Origin
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.message import Claim
from pipelines.quarantine.scan import Scan, scan
from pipelines.services import kafka
from pipelines.services.positions import Position
from pipelines.services.queries import query_text

SAFE_AGE = 600  # seconds

Starts = Mapping[int, Mapping[int, int]]  # for claims at a time in ms: the first offset by partition, 0 where missing


class Unknown(NamedTuple):
    """A claim whose delivery cannot be determined. `why`: `retention` (Kafka has deleted messages
    that were sent then), `topic_recreated` (it was rejected in an earlier topic of this name) or
    `namesake` (two messages would carry the headers that were found)."""

    claim: Claim
    why: str


@dataclass
class Settled:
    """What became of each claim, or in a dry run would. `recent`: the number of claims too young to
    be looked at; `read`: messages read in Kafka; `given_up`: whether the unknown ones are
    discarded."""

    replayed: list[tuple[Claim, Position]] = field(default_factory=list)
    released: list[Claim] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    recent: int = 0
    read: int = 0
    given_up: bool = False

    @property
    def why_unknown(self) -> Counter[str]:
        return Counter(unknown.why for unknown in self.unknown)


def open_claims(client: Client, topic: str) -> list[Claim]:
    """All messages of `topic` at `replaying`, whatever their age; the oldest claim first."""
    rows = client.query(query_text("quarantine/open_claims.sql"), {"topic": topic}).result_rows
    return [Claim(*row) for row in rows]


def settle(
    client: Client,
    bootstrap: str,
    topic: str,
    *,
    older_than: int = SAFE_AGE,
    give_up: bool = False,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda offsets: None,
) -> Settled:
    """Find out and, unless in a `dry_run`, record what became of each message that is at
    `replaying` for at least `older_than` seconds. give_up: discard the unknown ones. advance:
    called with the number of offsets read.

    Raises:
        UserFault: Kafka has no such topic.
        TransientFault: Kafka does not answer.
    """
    claims = open_claims(client, topic)
    old = [claim for claim in claims if claim.age >= older_than]
    settled = Settled()
    if old:
        topic_id = kafka.topic_id(bootstrap, topic)
        starts = first_offsets(client, topic_id, {claim.millis for claim in old})
        earliest = starts[min(starts)]
        settled = decide(old, topic_id, starts, scan(bootstrap, topic, earliest, advance))
    settled.recent, settled.given_up = len(claims) - len(old), give_up
    if not dry_run:
        record(client, settled)
    return settled


def first_offsets(client: Client, topic_id: str, moments: Iterable[int]) -> Starts:
    """By partition, the first offset that a message sent at each of `moments` (ms since the epoch)
    or later can have."""
    starts: dict[int, dict[int, int]] = {moment: {} for moment in moments}
    scope = {"topic_id": topic_id, "moments": list(starts)}
    for moment, partition, last in client.query(query_text("quarantine/loaded_before.sql"), scope).result_rows:
        starts[moment][partition] = last + 1
    return starts


def decide(claims: Iterable[Claim], topic_id: str, starts: Starts, seen: Scan) -> Settled:
    """What became of each claim, in their order, given the scan of the topic with this id."""
    settled = Settled(read=seen.read)
    for claim in claims:
        start = starts[claim.millis]
        candidates = seen.positions.get(Origin.of(claim), ())
        position = next((at for at in candidates if at.offset >= start.get(at.partition, 0)), None)
        deleted = any(first > start.get(partition, 0) for partition, first in seen.beginnings.items())
        if claim.namesake:
            settled.unknown.append(Unknown(claim, "namesake"))
        elif position:
            settled.replayed.append((claim, position))
        elif claim.topic_id != topic_id:
            settled.unknown.append(Unknown(claim, "topic_recreated"))
        elif deleted:
            settled.unknown.append(Unknown(claim, "retention"))
        else:
            settled.released.append(claim)
    return settled


def record(client: Client, settled: Settled) -> None:
    """Record it in the name of the runs that made the claims: a repair stays known, and only their
    claims end."""
    sent: dict[tuple[UUID, str], list[tuple[Claim, Position]]] = defaultdict(list)
    for claim, position in settled.replayed:
        sent[claim.run, claim.fix].append((claim, position))
    for (run, fix), pairs in sent.items():
        Journal(client, fix, run).sent([claim for claim, _ in pairs], [position for _, position in pairs])
    for run, claims in _by_run((run, claim) for claim in settled.released for run in claim.runs).items():
        Journal(client, run=run).released(claims)
    given_up = [unknown.claim for unknown in settled.unknown] if settled.given_up else []
    for run, claims in _by_run((claim.run, claim) for claim in given_up).items():
        Journal(client, run=run).discarded(claims)


def _by_run(claims: Iterable[tuple[UUID, Claim]]) -> dict[UUID, list[Claim]]:
    grouped: dict[UUID, list[Claim]] = defaultdict(list)
    for run, claim in claims:
        grouped[run].append(claim)
    return grouped

"""Rejected messages back through the front door: sent to Kafka again, repaired or as they are, or set aside for good.

All is recorded in `quarantine_actions` and changes nothing in quarantine. A message with an action is not taken again,
so a second run changes nothing. One that comes back is rejected at a new offset: a row of its own, that waits.

Only the masked payload is stored, so only that is sent; a reporter's hash is sent as the reporter. `replaying` is
written before sending: whoever dies between sending and recording leaves a message that is never sent twice, and that
`pipelines.quarantine.settle` looks for in Kafka.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.errors import TransientFault
from pipelines.privacy.mask import Masker, masker
from pipelines.quarantine.headers import headers
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.rejudge import Rejudged, Rules, present_rules, tried
from pipelines.quarantine.repair import Repair, difference
from pipelines.quarantine.selection import Selection, Waiting, pages
from pipelines.services.positions import Position
from pipelines.services.publish import Publisher

_BLOCK = 2000  # messages between two records
_LISTED = 100  # skipped messages that are named one by one
HANDOVER = (
    300.0  # seconds from a claim until the producer has all of its messages, at most; see pipelines.quarantine.settle
)


class Policy(StrEnum):
    """What becomes of a message that cannot be sent, or that the present rules would reject again."""

    SKIP = "skip"  # it goes on waiting
    STOP = "stop-on-error"  # it ends the run
    REINSERT = "reinsert"  # it is sent all the same, and waits in quarantine as a new row; what cannot be sent waits on
    DROP = "drop"  # it is recorded as discarded


@dataclass(frozen=True)
class ReplayRequest:
    """What to send again, and how. `samples`: how many differences to keep. `masks`: hides personal data in what is
    recorded of the repair."""

    chosen: Selection
    policy: Policy = Policy.SKIP
    repair: Repair | None = None
    samples: int = 0
    masks: Masker = masker()


class Skipped(NamedTuple):
    """A message that was not sent. `why`: `cut`, `not_json`, `not_applied` (the repair), `rejected` (it would be, see
    `detail`) or `claimed` (by another run)."""

    position: Position
    why: str
    detail: str


class Sample(NamedTuple):
    """What a repair changes in one message (lines of a diff), and for which reasons it would be rejected still."""

    position: Position
    reason: str
    changes: list[str]
    still: tuple[str, ...]


@dataclass
class ReplayResult:
    """What was done, or in a dry run would be.

    passing: of all that were looked at, those that the present rules accept; still: the others, by reason. done: sent;
    reasons: of these and the discarded, why they had been rejected. stopped: where a run ended before its time.
    """

    looked_at: int = 0
    passing: int = 0
    done: int = 0
    discarded: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    still: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: list[Skipped] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    stopped: Skipped | None = None

    def look(self, one: Rejudged) -> None:
        """Count it, whatever becomes of it."""
        self.looked_at += 1
        self.passing += one.passes
        self.still.update(one.reasons[:1])

    def skip(self, message: Waiting, why: str, detail: str = "") -> None:
        """Count one that goes on waiting; the first ones are named."""
        self.skipped[why] += 1
        if len(self.examples) < _LISTED:
            self.examples.append(Skipped(message.position, why, detail))


def run(client: Client, bootstrap: str, order: ReplayRequest, dry_run: bool) -> ReplayResult:
    """`replay` by the present rules, through Kafka at `bootstrap`. Raises as it does, and as `present_rules`."""
    rules = present_rules(client)
    with nullcontext(None) if dry_run else Publisher(bootstrap, order.chosen.topic) as sender:
        return replay(client, sender, order, rules)


def replay(client: Client, sender: Publisher | None, order: ReplayRequest, rules: Rules) -> ReplayResult:
    """Send the chosen messages again; without a `sender` only say what would be sent.

    Raises:
        TransientFault: Kafka did not acknowledge, or takes too long; the messages of that block stay `replaying`.
        DatabaseError: an expression of the repair is wrong.
    """
    outcome = ReplayResult()
    taken = islice(_taken(client, order, rules, outcome), order.chosen.limit)
    journal = Journal(client, order.masks.mask(str(order.repair)) if order.repair else "")
    while block := list(islice(taken, _BLOCK)):
        _act(block, order, journal, sender, outcome)
    return outcome


def discard(client: Client, chosen: Selection, dry_run: bool = False) -> ReplayResult:
    """Record that the chosen messages are given up; nothing is deleted. What another run has claimed is left to it."""
    outcome, journal = ReplayResult(), Journal(client)
    found = islice(chain.from_iterable(pages(client, chosen)), chosen.limit)
    while block := list(islice(found, _BLOCK)):
        given_up = block if dry_run else _discard(block, journal, outcome)
        outcome.discarded += len(given_up)
        outcome.reasons.update(message.reason for message in given_up)
    return outcome


def _taken(client: Client, order: ReplayRequest, rules: Rules, outcome: ReplayResult) -> Iterator[Rejudged]:
    """What is acted upon; the rest is counted in `outcome`."""
    expressions = order.repair.expressions if order.repair else ()
    for page in pages(client, order.chosen, expressions):
        for one in tried(page, rules, order.repair):
            outcome.look(one)
            _sample(one, order, outcome)
            if one.passes or order.policy is Policy.DROP or (order.policy is Policy.REINSERT and not one.unfit):
                yield one
            elif order.policy is Policy.STOP:
                outcome.stopped = Skipped(one.message.position, one.why, one.detail)
                return
            else:
                outcome.skip(one.message, one.why, one.detail)


def _sample(one: Rejudged, order: ReplayRequest, outcome: ReplayResult) -> None:
    if len(outcome.samples) < order.samples and one.before is not None and one.after is not None:
        changes = difference(one.before, one.after)
        outcome.samples.append(Sample(one.message.position, one.message.reason, changes, one.reasons))


def _act(
    block: list[Rejudged], order: ReplayRequest, journal: Journal, sender: Publisher | None, outcome: ReplayResult
) -> None:
    """Send or, under `drop`, discard each one of a block and record it; without a sender only count it."""
    sent = [one for one in block if one.passes or order.policy is Policy.REINSERT]
    given_up = [one.message for one in block if not (one.passes or order.policy is Policy.REINSERT)]
    if sender is not None:
        given_up = _discard(given_up, journal, outcome)
        sent = _send(sent, order.chosen.topic, journal, sender, outcome)
    outcome.done += len(sent)
    outcome.discarded += len(given_up)
    outcome.reasons.update(message.reason for message in (*(one.message for one in sent), *given_up))


def _send(
    block: list[Rejudged], topic: str, journal: Journal, sender: Publisher, outcome: ReplayResult
) -> list[Rejudged]:
    """Send what no other run has claimed; those."""
    deadline = time.time() + HANDOVER
    won = {message.place for message in _claim([one.message for one in block], journal, outcome)}
    mine = [one for one in block if one.message.place in won]
    for one in mine:
        if time.time() > deadline:
            raise TransientFault(f"Kafka took too few messages in {HANDOVER:.0f} s; see: gridstream quarantine settle")
        sender.send(one.value, one.key, headers(topic, one.message))
    journal.sent([one.message for one in mine], sender.flush())
    return mine


def _discard(block: list[Waiting], journal: Journal, outcome: ReplayResult) -> list[Waiting]:
    """Give up what no other run has claimed; those."""
    mine = _claim(block, journal, outcome)
    journal.discarded(mine)
    return mine


def _claim(block: list[Waiting], journal: Journal, outcome: ReplayResult) -> list[Waiting]:
    """What this run may act upon; the rest is counted as skipped."""
    won = journal.claim(block)
    mine = {message.place for message in won}
    for message in block:
        if message.place not in mine:
            outcome.skip(message, "claimed")
    return won

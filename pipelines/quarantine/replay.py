"""Send rejected messages to Kafka again, repaired or as they are, or give them up.

All is recorded in `quarantine_actions`; `quarantine` does not change. A message with a recorded
action is not taken again, so a second run changes nothing. A message that is rejected again gets a
new offset and a row of its own, which waits.

Only the masked payload is stored, so only that is sent; the hash of a reporter is sent as the
reporter. `replaying` is recorded before sending. A run that dies between sending and recording
leaves a message that is never sent twice; `pipelines.quarantine.settle` looks for it in Kafka.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.errors import TransientFault
from pipelines.privacy.mask import Masker, masker
from pipelines.quarantine.compute import Evaluator
from pipelines.quarantine.headers import headers
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.message import RejectedMessage
from pipelines.quarantine.rejudge import Rejudged, Rules, present_rules, rejudge
from pipelines.quarantine.repair import Repair, difference
from pipelines.quarantine.selection import Selection, pages
from pipelines.services.positions import Position
from pipelines.services.publish import Publisher

_BLOCK = 2000  # messages that are claimed, sent and recorded together
_EXAMPLES = 100  # skipped messages that are listed with their position
HANDOVER = 300.0  # seconds from a claim until the producer has all of its messages, at most; see settle


class Policy(StrEnum):
    """What becomes of a message that cannot be sent, or that the present rules would reject again."""

    SKIP = "skip"  # it stays waiting
    STOP = "stop-on-error"  # it ends the run
    REINSERT = "reinsert"  # it is sent anyway, and will wait in quarantine as a new row; what cannot be sent stays
    DROP = "drop"  # it is recorded as discarded


@dataclass(frozen=True)
class ReplayRequest:
    """What to send again, and how. `samples`: the number of differences to keep. `masks`: masks
    personal data in the recorded text of the repair."""

    selection: Selection
    policy: Policy = Policy.SKIP
    repair: Repair | None = None
    samples: int = 0
    masks: Masker = masker()


class Skipped(NamedTuple):
    """A message that was not sent. `why`: `cut`, `not_json`, `not_applied` (the repair), `rejected`
    (it would be rejected again, see `detail`) or `claimed` (by another run)."""

    position: Position
    why: str
    detail: str


class Sample(NamedTuple):
    """The changes of a repair to one message (lines of a diff), and the reasons for which it would
    still be rejected."""

    position: Position
    reason: str
    changes: list[str]
    still: tuple[str, ...]


@dataclass
class ReplayResult:
    """What was done, or in a dry run would be.

    looked_at: messages judged; passing: of these, the ones that the present rules accept; still:
    the others, by reason. done: messages sent; reasons: why the sent and the discarded ones had
    been rejected. skipped: messages that stay waiting, by `Skipped.why`; examples: the first of
    them. stopped: the message at which a run ended early.
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

    def look(self, rejudged: Rejudged) -> None:
        """Count a judged message, whatever becomes of it."""
        self.looked_at += 1
        self.passing += rejudged.passes
        self.still.update(rejudged.reasons[:1])

    def skip(self, message: RejectedMessage, why: str, detail: str = "") -> None:
        """Count a message that stays waiting, and keep the first ones as examples."""
        self.skipped[why] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(Skipped(message.position, why, detail))


def run(
    client: Client,
    bootstrap: str,
    request: ReplayRequest,
    dry_run: bool,
    repairer: Callable[[], AbstractContextManager[Client]],
) -> ReplayResult:
    """`replay` by the present rules, through Kafka at `bootstrap`. Raises as `replay`,
    `present_rules` and `Evaluator` do.

    repairer: opens a client of the user `repair`, if the repair has SQL expressions.
    """
    rules = present_rules(client)
    expressions = request.repair.expressions if request.repair else ()
    with repairer() if expressions else nullcontext(None) as repair_client:
        evaluator = Evaluator(repair_client, expressions) if repair_client else None
        with nullcontext(None) if dry_run else Publisher(bootstrap, request.selection.topic) as publisher:
            return replay(client, publisher, request, rules, evaluator)


def replay(
    client: Client,
    publisher: Publisher | None,
    request: ReplayRequest,
    rules: Rules,
    evaluator: Evaluator | None = None,
) -> ReplayResult:
    """Send the selected messages again; without a `publisher` only report what would be sent.

    Raises:
        TransientFault: Kafka did not acknowledge, or takes too long; the messages of that block
            stay `replaying`.
        UserFault, DatabaseError: an expression of the repair is forbidden or wrong.
    """
    result = ReplayResult()
    taken = islice(_taken(client, request, rules, evaluator, result), request.selection.limit)
    journal = Journal(client, request.masks.mask(str(request.repair)) if request.repair else "")
    while block := list(islice(taken, _BLOCK)):
        _act(block, request, journal, publisher, result)
    return result


def discard(client: Client, selection: Selection, dry_run: bool = False) -> ReplayResult:
    """Record that the selected messages are given up; nothing is deleted. Messages that another run
    claims are left."""
    result, journal = ReplayResult(), Journal(client)
    selected = islice(chain.from_iterable(pages(client, selection)), selection.limit)
    while block := list(islice(selected, _BLOCK)):
        given_up = block if dry_run else _discard(block, journal, result)
        result.discarded += len(given_up)
        result.reasons.update(message.reason for message in given_up)
    return result


def _taken(
    client: Client, request: ReplayRequest, rules: Rules, evaluator: Evaluator | None, result: ReplayResult
) -> Iterator[Rejudged]:
    """The messages to send or, under `drop`, to discard; the others are counted in `result`."""
    for page in pages(client, request.selection, evaluator):
        for rejudged in rejudge(page, rules, request.repair):
            result.look(rejudged)
            _keep_sample(rejudged, request, result)
            reinserted = request.policy is Policy.REINSERT and not rejudged.unfit
            if rejudged.passes or request.policy is Policy.DROP or reinserted:
                yield rejudged
            elif request.policy is Policy.STOP:
                result.stopped = Skipped(rejudged.message.position, rejudged.why, rejudged.detail)
                return
            else:
                result.skip(rejudged.message, rejudged.why, rejudged.detail)


def _keep_sample(rejudged: Rejudged, request: ReplayRequest, result: ReplayResult) -> None:
    if len(result.samples) < request.samples and rejudged.before is not None and rejudged.after is not None:
        message, changes = rejudged.message, difference(rejudged.before, rejudged.after)
        result.samples.append(Sample(message.position, message.reason, changes, rejudged.reasons))


def _act(
    block: list[Rejudged], request: ReplayRequest, journal: Journal, publisher: Publisher | None, result: ReplayResult
) -> None:
    """Send or, under `drop`, discard the messages of a block and record it; without a publisher
    only count them."""
    reinsert = request.policy is Policy.REINSERT
    sent = [rejudged for rejudged in block if rejudged.passes or reinsert]
    given_up = [rejudged.message for rejudged in block if not (rejudged.passes or reinsert)]
    if publisher is not None:
        given_up = _discard(given_up, journal, result)
        sent = _send(sent, journal, publisher, result)
    result.done += len(sent)
    result.discarded += len(given_up)
    result.reasons.update(message.reason for message in (*(rejudged.message for rejudged in sent), *given_up))


def _send(block: list[Rejudged], journal: Journal, publisher: Publisher, result: ReplayResult) -> list[Rejudged]:
    """Send the messages that no other run has claimed; returns them."""
    deadline = time.time() + HANDOVER
    claimed = {message.row_key for message in _claim([rejudged.message for rejudged in block], journal, result)}
    sent = [rejudged for rejudged in block if rejudged.message.row_key in claimed]
    for rejudged in sent:
        if time.time() > deadline:
            raise TransientFault(f"Kafka took too few messages in {HANDOVER:.0f} s; see: gridstream quarantine settle")
        publisher.send(rejudged.value, rejudged.kafka_key, headers(publisher.topic, rejudged.message))
    journal.sent([rejudged.message for rejudged in sent], publisher.flush())
    return sent


def _discard(block: list[RejectedMessage], journal: Journal, result: ReplayResult) -> list[RejectedMessage]:
    """Give up the messages that no other run has claimed; returns them."""
    claimed = _claim(block, journal, result)
    journal.discarded(claimed)
    return claimed


def _claim(block: list[RejectedMessage], journal: Journal, result: ReplayResult) -> list[RejectedMessage]:
    """Claim messages for this run; returns those that it may act upon and counts the others as
    skipped."""
    claimed = journal.claim(block)
    keys = {message.row_key for message in claimed}
    for message in block:
        if message.row_key not in keys:
            result.skip(message, "claimed")
    return claimed

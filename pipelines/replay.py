"""Rejected messages back through the front door: sent to Kafka again, or set aside for good.

Both are recorded in `quarantine_actions` and change nothing in quarantine. A message with an action is not taken again,
so a second run changes nothing. One that comes back is rejected at a new offset: a row of its own, that waits.

Only the masked payload is stored, so only that is sent; a reporter's hash is sent as the reporter. `replaying` is
written before sending: whoever dies between sending and recording leaves a message that is reported, never sent twice.
"""

import functools
import getpass
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.quarantine import Position
from pipelines.sources.publish import Publisher

# Names of the headers a replayed message carries: where it stood when it was rejected, and how often it was sent again.
HEADERS = ("gridstream-topic", "gridstream-partition", "gridstream-offset", "gridstream-attempt")
_BLOCK = 500  # messages sent between two records

_WAITING = """
SELECT q.topic_id, q.kafka_partition, q.kafka_offset, q.grid_code, q.payload, q.payload_bytes, q.reason,
    origin.attempt AS attempts
FROM quarantine AS q FINAL
LEFT JOIN (SELECT topic_id, sent_partition, sent_offset, max(attempt) AS attempt FROM quarantine_actions
    WHERE action = 'replayed' GROUP BY topic_id, sent_partition, sent_offset) AS origin
    ON origin.topic_id = q.topic_id
    AND origin.sent_partition = q.kafka_partition AND origin.sent_offset = q.kafka_offset
WHERE q.topic = {topic:String}
  AND (q.topic_id, q.kafka_partition, q.kafka_offset) NOT IN
    (SELECT topic_id, kafka_partition, kafka_offset FROM quarantine_actions)
  AND ({reason:String} = '' OR has(q.reasons, {reason:String}))
  AND ({source:String} = '' OR q.source = {source:String})
  AND q.kafka_time >= {since:DateTime64(3)} AND q.kafka_time < {until:DateTime64(3)}
ORDER BY {fit_first:Bool} AND NOT isValidJSON(q.payload), q.kafka_time, q.kafka_partition, q.kafka_offset
LIMIT {limit:UInt64}"""

_COLUMNS = [
    *("topic_id", "kafka_partition", "kafka_offset", "action", "attempt", "sent_partition", "sent_offset", "by"),
]


@dataclass(frozen=True)
class Selection:
    """Which waiting messages; empty texts match all, `since` <= arrival < `until`, oldest first."""

    topic: str
    reason: str = ""
    source: str = ""
    since: datetime = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    until: datetime = datetime.fromisoformat("2200-01-01T00:00:00+00:00")
    limit: int = 100_000


class Waiting(NamedTuple):
    """A rejected message that nothing was done about yet. `attempts`: how often it was sent again before."""

    topic_id: str
    partition: int
    offset: int
    grid_code: str
    payload: str
    payload_bytes: int
    reason: str
    attempts: int


class Skipped(NamedTuple):
    """A message that cannot be sent again, and why: `cut` or `not_json`."""

    position: Position
    why: str


@dataclass
class Outcome:
    """What was done, or in a dry run would be."""

    done: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


def waiting(client: Client, chosen: Selection, fit_first: bool = False) -> list[Waiting]:
    """The selected messages that nothing was done about, oldest first; `fit_first`: what is no JSON comes last, so that
    it does not use up the limit."""
    scope = {name: getattr(chosen, name) for name in ("topic", "reason", "source", "since", "until", "limit")}
    return [Waiting(*row) for row in client.query(_WAITING, scope | {"fit_first": fit_first}).result_rows]


def unfit(message: Waiting) -> str:
    """Why a message cannot be sent again; '' when it can. Masking changes lengths, so a cut is told by the limit."""
    try:
        return "" if isinstance(msgspec.json.decode(message.payload), dict) else "not_json"
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "cut" if message.payload_bytes > len(message.payload.encode()) else "not_json"


def headers(topic: str, message: Waiting) -> list[tuple[str, bytes]]:
    """Provenance: original topic, partition, offset, and the number of this attempt, as decimal text."""
    values = (topic, message.partition, message.offset, message.attempts + 1)
    return [(name, str(value).encode()) for name, value in zip(HEADERS, values, strict=True)]


def replay(client: Client, sender: Publisher | None, chosen: Selection) -> Outcome:
    """Send the selected messages again; without a `sender` only say what would be sent.

    Raises:
        TransientFault: Kafka did not acknowledge; the messages of that block stay `replaying`.
    """
    outcome = Outcome()
    fit = list(_fit(waiting(client, chosen, fit_first=True), outcome))
    _count(outcome, fit)
    if sender is not None:
        for start in range(0, len(fit), _BLOCK):
            _send(client, sender, chosen.topic, fit[start : start + _BLOCK])
    return outcome


def discard(client: Client, chosen: Selection, dry_run: bool = False) -> Outcome:
    """Record that the selected messages are given up; nothing is deleted."""
    outcome, found = Outcome(), waiting(client, chosen)
    _count(outcome, found)
    if found and not dry_run:
        _record(client, [(*_place(one), "discarded", 0, None, None, _who()) for one in found])
    return outcome


def _fit(found: list[Waiting], outcome: Outcome) -> Iterator[Waiting]:
    for message in found:
        if why := unfit(message):
            outcome.skipped.append(Skipped(Position(message.partition, message.offset), why))
        else:
            yield message


def _count(outcome: Outcome, messages: list[Waiting]) -> None:
    outcome.done = len(messages)
    for message in messages:
        outcome.reasons[message.reason] = outcome.reasons.get(message.reason, 0) + 1


def _send(client: Client, sender: Publisher, topic: str, block: list[Waiting]) -> None:
    _record(client, [(*_place(one), "replaying", one.attempts + 1, None, None, _who()) for one in block])
    for one in block:
        sender.send(one.payload.encode(), one.grid_code.encode(), headers(topic, one))
    stands = sender.flush()
    rows = [
        (*_place(one), "replayed", one.attempts + 1, at.partition, at.offset, _who())
        for one, at in zip(block, stands, strict=True)
    ]
    _record(client, rows)


def _place(message: Waiting) -> tuple[str, int, int]:
    return message.topic_id, message.partition, message.offset


def _record(client: Client, rows: Sequence[tuple[object, ...]]) -> None:
    client.insert("quarantine_actions", rows, column_names=_COLUMNS)


@functools.cache
def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""

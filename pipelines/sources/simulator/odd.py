"""Odd messages, which are accepted with a warning: ways in which real producers break the rules that warn.

The rules are those of `schemas/expectations/events.yaml`. Locations in another county come from the share `astray` of
the profile instead.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from pipelines.sources.simulator.bad import Message

LONG_AGO = timedelta(days=500)  # the rule's limit is 400


class OddKind(NamedTuple):
    """A way to be odd: the rule that warns, and the function that changes a good message in place to break it."""

    rule: str
    way: str
    twist: Callable[[Message], None]


def _set(**changes: object) -> Callable[[Message], None]:
    return lambda message: message.update(changes)


def _handled_at_once(message: Message) -> None:
    message |= {"status": "resolved", "updated_at": message["reported_at"], "handler": "330200-101"}
    message.pop("satisfaction", None)  # only a closed report may have one


def _handled_by_nobody(message: Message) -> None:
    message["status"] = "resolved"
    for field in ("handler", "satisfaction"):
        message.pop(field, None)


def _long_limit(message: Message) -> None:
    message |= {"severity": 4, "due_at": _later(message["reported_at"], timedelta(days=30))}


def _long_ago(message: Message) -> None:
    message["reported_at"] = _later(message["reported_at"], -LONG_AGO)
    message.pop("due_at", None)


def _later(moment: str, by: timedelta) -> str:
    return (datetime.fromisoformat(moment) + by).isoformat(timespec="milliseconds")


KINDS: tuple[OddKind, ...] = (
    OddKind("handled_at_once", "resolved when reported", _handled_at_once),
    OddKind("handled_by_nobody", "resolved without a handler", _handled_by_nobody),
    OddKind("text_too_short", "two characters", _set(text="脏乱")),
    OddKind("text_without_words", "digits", _set(text="1111 2222")),
    OddKind("danger_with_long_limit", "severity 4, due in 30 days", _long_limit),
    OddKind("reported_long_ago", "500 days ago", _long_ago),
)

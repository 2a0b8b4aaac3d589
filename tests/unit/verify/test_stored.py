"""Counting rows against ranges, without a database."""

import time

import numpy as np

from pipelines.verify.ledger import Ranges
from pipelines.verify.stored import Stored, Tally


def load(written_at: float) -> Ranges:
    """Ranges 0..9 (8 good, 2 quarantined) and 20..29 (10 good): 10..19 is a gap."""
    first, last, good, bad = (np.array(column, np.int64) for column in ((0, 20), (9, 29), (8, 10), (2, 0)))
    zeros = np.zeros(2, np.int64)
    return Ranges("topic", 1, 0, first, last, good, bad, zeros, zeros + 1, zeros + int(written_at))


def stored(events: list[int], rejected: list[int]) -> Stored:
    offsets, rejects = np.array(events, np.int64), np.array(rejected, np.int64)
    return Stored(offsets, np.zeros(len(events), "V16"), rejects, np.array([""] * len(rejected), np.str_), rejects)


def findings(events: list[int], rejected: list[int], written_at: float | None = None) -> list[tuple[str, int]]:
    tally = Tally(load(time.time() if written_at is None else written_at), epochs=1)
    tally.add(stored(events, rejected))
    return [(finding.en, finding.count) for finding in tally.verdict()]


RIGHT = [*range(8), *range(20, 30)]


def test_right_counts() -> None:
    assert findings(RIGHT, [8, 9]) == []


def test_fewer_events_may_have_merged() -> None:
    tally = Tally(load(time.time()), epochs=1)
    tally.add(stored(RIGHT[2:], [8, 9]))
    assert (list(tally.verdict()), tally.merged_away) == ([], 2)


def test_an_event_in_a_gap_of_the_ledger() -> None:
    assert findings([*range(8), 15, *range(20, 30)], [8, 9]) == [("row is in no range of the ledger", 1)]


def test_an_event_too_many() -> None:
    assert findings([*range(9), *range(20, 30)], [9]) == [
        ("rows in events contradict the ledger", 1),
        ("rows in quarantine contradict the ledger", 1),
    ]


def test_one_offset_in_both_tables() -> None:
    assert findings(RIGHT, [7, 8]) == [("one offset is in events and in quarantine", 1)]


def test_doubles_are_allowed_once_per_epoch() -> None:
    twice = Tally(load(time.time()), epochs=2)
    twice.add(stored(sorted(RIGHT * 2), [8, 9]))
    assert list(twice.verdict()) == []
    thrice = Tally(load(time.time()), epochs=2)
    thrice.add(stored(sorted([*RIGHT, 3, 3]), [8, 9]))
    assert [(f.en, f.examples[0]["offset"]) for f in thrice.verdict()] == [
        ("one offset was inserted more than once", 3)
    ]


def test_rejected_messages_past_their_time_to_live_are_let_off() -> None:
    assert findings(RIGHT, [8]) == [("rows in quarantine contradict the ledger", 1)]
    assert findings(RIGHT, [8], written_at=time.time() - 401 * 86_400) == []
    tally = Tally(load(0), epochs=1)
    assert tally.in_expired(np.array([9, 25, 99])).tolist() == [True, False, False]

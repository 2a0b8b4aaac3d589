"""The ledger's arithmetic on made-up ranges."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.verify.ledger import Begun, Ranges, check_ledger

ID = "topic"


def ranges(*rows: tuple[int, int, int, int, int], **other: Any) -> Ranges:
    """Rows of first, last, good, quarantined, duplicates, in order of first offset."""
    columns = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    ones = np.ones(len(rows), np.int64)
    return Ranges(ID, other.pop("epoch", 1), 0, *columns, written=ones, written_at=ones, **other)


def findings(*loads: Ranges, begin: int = 0, patience: int = 600) -> list[tuple[str, str]]:
    check = check_ledger(loads, {(ID, 0): begin}, patience)
    return [(finding.state, finding.en.split(":")[0]) for finding in check.findings]


lengths = st.lists(st.tuples(*[st.integers(0, 2**40)] * 3).filter(any), min_size=3, max_size=20)


def contiguous(counts: list[tuple[int, int, int]]) -> list[tuple[int, int, int, int, int]]:
    rows, first = [], 0
    for good, quarantined, duplicates in counts:
        last = first + good + quarantined + duplicates - 1
        rows.append((first, last, good, quarantined, duplicates))
        first = last + 1
    return rows


@given(lengths)
def test_contiguous_ranges_that_add_up_hold(counts: list[tuple[int, int, int]]) -> None:
    rows = contiguous(counts)
    check = check_ledger([ranges(*rows)], {(ID, 0): 0}, 600)
    assert check.state == "holds"
    assert check.figures["offsets"] == rows[-1][1] + 1 == sum(map(sum, counts))


@given(lengths, st.data())
def test_a_range_taken_out_is_a_gap(counts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    rows = contiguous(counts)
    gone = rows.pop(data.draw(st.integers(1, len(rows) - 2)))
    (finding,) = check_ledger([ranges(*rows)], {(ID, 0): 0}, 600).findings
    assert finding.en.startswith("gap")
    assert (finding.examples[0]["after"], finding.examples[0]["first"]) == (gone[0] - 1, gone[1] + 1)


@given(lengths, st.data())
def test_one_message_too_many_or_too_few_is_named(counts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    load = ranges(*contiguous(counts))
    at, change = data.draw(st.integers(0, len(counts) - 1)), data.draw(st.sampled_from([-1, 1]))
    good = load.good.copy()
    good[at] += change
    assert findings(replace(load, good=good)) == [("fails", "range does not add up")]


def test_a_long_range_that_covers_later_ones_overlaps_them_all() -> None:
    load = ranges((0, 99, 100, 0, 0), (10, 19, 10, 0, 0), (20, 29, 10, 0, 0))
    check = check_ledger([load], {(ID, 0): 0}, 600)
    assert [(finding.en[:7], finding.count) for finding in check.findings] == [("overlap", 2)]


def test_one_range_with_two_sets_of_figures() -> None:
    assert findings(ranges((0, 9, 10, 0, 0), (0, 9, 9, 1, 0))) == [
        ("fails", "one range was recorded with different figures")
    ]


def test_where_the_first_range_may_begin() -> None:
    late = ranges((5, 9, 5, 0, 0))
    assert findings(late, begin=0) == [("fails", "Kafka still has offsets before the first range")]
    assert findings(late, begin=5) == [("warns", "the load began after retention had passed the first offsets")]
    assert findings(ranges((0, 9, 10, 0, 0)), begin=5) == []


def test_ranges_in_flight() -> None:
    load = ranges((0, 9, 10, 0, 0), begun=(Begun(2, 5, 9999), Begun(10, 19, 601), Begun(20, 29, 599)))
    check = check_ledger([load], {(ID, 0): 0}, 600)
    assert [(f.state, f.examples[0]["first"]) for f in check.findings] == [("warns", 2), ("warns", 10)]
    assert check.figures["in_flight"] == 3


def test_an_older_epoch_is_checked_apart_and_its_unfinished_ranges_are_forgotten() -> None:
    old = ranges((0, 9, 10, 0, 0), epoch=1, begun=(Begun(10, 19, 9999),))
    assert findings(old, ranges((0, 4, 5, 0, 0), epoch=2)) == []
    assert findings(ranges((0, 9, 9, 0, 0), epoch=1), ranges((0, 4, 5, 0, 0), epoch=2)) == [
        ("fails", "range does not add up")
    ]

"""The breaker's decision, against one that looks at every message by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stream.breaker import Breaker, Opening, Refused

SMALL = Breaker(ratio=0.5, window=12, minimum=4, run=5)
NONE = np.zeros(0, np.bool_)
CHANCE = np.random.default_rng(7)


def naive(rule: Breaker, refused: list[bool]) -> int | None:
    """The number of the message at which it opens."""
    for end in range(1, len(refused) + 1):
        window = refused[max(0, end - rule.window) : end]
        run = refused[max(0, end - rule.run) : end]
        if len(window) >= rule.minimum and sum(window) / len(window) >= rule.ratio:
            return end - 1
        if len(run) == rule.run and all(run):
            return end - 1
    return None


def stream(rule: Breaker, refused: Refused, size: int) -> int | None:
    """The same in pieces of `size` messages."""
    before = NONE
    for first in range(0, len(refused), size):
        fresh = refused[first : first + size]
        if opening := rule.opens(before, fresh):
            return first + opening.at
        before = rule.remember(before, fresh)
    return None


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 30))
def test_it_opens_at_the_same_message_however_the_stream_is_cut(refused: list[bool], size: int) -> None:
    assert stream(SMALL, np.array(refused, np.bool_), size) == naive(SMALL, refused)


def test_five_percent_never_opens_it() -> None:
    assert stream(Breaker(), CHANCE.random(1_000_000) < 0.05, 65_536) is None


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_half_or_all_refused_opens_it_soon(share: float) -> None:
    at = stream(Breaker(), CHANCE.random(20_000) < share, 65_536)
    assert at is not None and at < 520


def test_all_refused_after_a_long_good_time_opens_it_by_run_length() -> None:
    refused = np.arange(50_000) >= 40_000
    assert Breaker().opens(NONE, refused) == Opening(41_999, 2_000, 2_000)


def test_a_small_bad_batch_does_not_open_it() -> None:
    assert Breaker().opens(NONE, np.ones(499, np.bool_)) is None
    assert Breaker().opens(NONE, np.ones(500, np.bool_)) == Opening(499, 500, 500)


def test_zero_switches_a_limit_off() -> None:
    everything = np.ones(100_000, np.bool_)
    assert Breaker(window=0, run=0).opens(NONE, everything) is None
    assert Breaker(window=0).opens(NONE, everything) == Opening(1_999, 2_000, 2_000)
    assert Breaker(run=0).opens(NONE, everything) == Opening(499, 500, 500)

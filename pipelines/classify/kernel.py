"""Compiled inner loops: UTF-8 bytes to symbols to hashed n-grams, then to CSR or to scores.

`_symbols` and `_grams` are the only feature code. Both `count_rows` and `score_rows` call them, so
that training and prediction always use the same features. Weights are summed as integers: the sums
are exact and the same on every machine.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from pipelines.classify.characters import BREAK, DIGIT, REPLACEMENT, SKIP

F = TypeVar("F", bound=Callable[..., Any])
MOST_STRANGERS = 1 << 16  # more unknown n-grams add nothing to a text's length; sums fit an int32
MAX_COUNT = 255  # more occurrences of an n-gram in a text add nothing
_STAMP_BITS = 9  # room for a count of 0..MAX_COUNT + 1 below the row's number

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SEED = np.uint64(0x632BE59BD9B4E019)
_TOKEN_SEED = np.uint64(0xD1B54A32D192ED03)
_UPPER = np.uint64(32)  # the upper bits of a product depend on all bits of the factors


def _compiled(function: F) -> F:
    """Compile without the GIL; cached next to the source, else for the user, else not at all."""
    try:
        return cast(F, numba.njit(nogil=True, cache=True, boundscheck=False)(function))
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return cast(F, numba.njit(nogil=True, boundscheck=False)(function))


@_compiled
def _code_point(data: Any, at: int, end: int) -> tuple[int, int]:
    """The code point at `at` and its length in bytes; U+FFFD and 1 if the sequence is invalid."""
    first = data[at]
    if first < 0x80:
        return int(first), 1
    if 0xE0 <= first < 0xF0 and at + 2 < end:
        second, third = data[at + 1], data[at + 2]
        if second & 0xC0 == 0x80 and third & 0xC0 == 0x80:
            code = (int(first) & 0x0F) << 12 | (int(second) & 0x3F) << 6 | (int(third) & 0x3F)
            if code >= 0x800 and not 0xD800 <= code < 0xE000:
                return code, 3
    elif 0xC2 <= first < 0xE0 and at + 1 < end:
        if data[at + 1] & 0xC0 == 0x80:
            return (int(first) & 0x1F) << 6 | (int(data[at + 1]) & 0x3F), 2
    elif 0xF0 <= first < 0xF5 and at + 3 < end:
        second, third, fourth = data[at + 1], data[at + 2], data[at + 3]
        if second & 0xC0 == 0x80 and third & 0xC0 == 0x80 and fourth & 0xC0 == 0x80:
            code = (int(first) & 0x07) << 18 | (int(second) & 0x3F) << 12 | (int(third) & 0x3F) << 6
            code |= int(fourth) & 0x3F
            if 0x10000 <= code < 0x110000:
                return code, 4
    return REPLACEMENT, 1


@_compiled
def _symbols(data: Any, at: int, end: int, fold: Any, symbols: Any, starts: Any) -> tuple[int, int]:
    """Fold bytes [at, end) into `symbols`, token limits into `starts`; returns how many of each."""
    size, tokens = 0, 0
    starts[0] = 0
    digit = False
    while at < end:
        code, width = _code_point(data, at, end)
        at += width
        symbol = int(fold[code]) if code < 0x10000 else code
        if symbol == SKIP:
            continue
        if symbol == BREAK:
            digit = False
            if starts[tokens] != size:
                tokens += 1
                starts[tokens] = size
            continue
        if symbol == DIGIT:
            if digit and starts[tokens] != size:
                continue
            digit = True
        else:
            digit = False
        symbols[size] = symbol
        size += 1
    if starts[tokens] != size:
        tokens += 1
        starts[tokens] = size
    return size, tokens


@_compiled
def _character_grams(symbols: Any, size: int, low: int, high: int, seed: Any, out: Any, count: int) -> int:
    """Write hashes from `out[count]` on. Returns the new count."""
    for i in range(size):
        mixed = seed
        for n in range(1, min(high, size - i) + 1):
            mixed = (mixed ^ np.uint64(symbols[i + n - 1])) * _MIX
            if n >= low:
                out[count] = np.uint32(mixed >> _UPPER)
                count += 1
    return count


@_compiled
def _token_grams(symbols: Any, starts: Any, tokens: int, words: int, seed: Any, out: Any, count: int) -> int:
    """Write hashes from `out[count]` on. Returns the new count."""
    for first in range(tokens):
        mixed = seed
        for token in range(first, min(first + words, tokens)):
            for i in range(starts[token], starts[token + 1]):
                mixed = (mixed ^ np.uint64(symbols[i])) * _MIX
            mixed = (mixed ^ np.uint64(BREAK)) * _MIX
            out[count] = np.uint32(mixed >> _UPPER)
            count += 1
    return count


@_compiled
def _grams(symbols: Any, size: int, starts: Any, tokens: int, plan: Any, out: Any) -> int:
    """Write all hashes to `out`; returns how many. `plan` = (low, high, words, leads...)."""
    low, high, words = plan[0], plan[1], plan[2]
    count = _character_grams(symbols, size, low, high, _SEED, out, 0)
    if words > 0:
        count = _token_grams(symbols, starts, tokens, words, _TOKEN_SEED, out, count)
    for view in range(3, plan.shape[0]):
        seed = np.uint64(view) * _MIX
        leading = min(plan[view], tokens)
        count = _character_grams(symbols, starts[leading], low, high, _SEED ^ seed, out, count)
        if words > 0:
            count = _token_grams(symbols, starts, leading, words, _TOKEN_SEED ^ seed, out, count)
    return count


@_compiled
def room(longest: int, plan: Any) -> int:
    """The largest number of n-grams that a text of `longest` bytes can have."""
    views = int(plan.shape[0]) - 2
    return (longest + 1) * (int(plan[1]) + int(plan[2])) * views


@_compiled
def _longest(offsets: Any) -> int:
    longest = 0
    for row in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return longest


@_compiled
def count_rows(data: Any, offsets: Any, fold: Any, plan: Any, indices: Any, indptr: Any) -> int:
    """Write the hashes of every row's n-grams, with repeats, to `indices`, row limits to `indptr`.

    Returns the total. Call it with an empty `indices` to get the total first.
    """
    longest = _longest(offsets)
    symbols = np.empty(longest + 1, np.uint32)
    starts = np.empty(longest + 2, np.int64)
    hashes = np.empty(room(longest, plan), np.uint32)
    total = 0
    for row in range(offsets.shape[0] - 1):
        size, tokens = _symbols(data, offsets[row], offsets[row + 1], fold, symbols, starts)
        count = _grams(symbols, size, starts, tokens, plan, hashes)
        if indices.shape[0] > 0:
            indices[total : total + count] = hashes[:count]
        total += count
        indptr[row + 1] = total
    return total


@_compiled
def _top3(scores: Any, codes: Any, top: Any) -> None:
    """Write the indices of the three largest scores, best first; ties go to the smaller index."""
    top[:] = -1
    for column in range(codes):
        at = 3
        while at > 0 and (top[at - 1] < 0 or scores[column] > scores[top[at - 1]]):
            at -= 1
        for later in range(2, at, -1):
            top[later] = top[later - 1]
        if at < 3:
            top[at] = column


@_compiled
def fill_table(hashes: Any, table: Any) -> None:
    """Enter each hash and its index into an open-addressing table: hash << 31 | index, -1 if free.

    `table` (int64, a power of two, at least twice as many entries as hashes) must be all -1.
    """
    shift = 32 - int(np.log2(table.shape[0]))
    for row in range(hashes.shape[0]):
        at = np.int64(hashes[row]) >> shift
        while table[at] >= 0:
            at = (at + 1) & (table.shape[0] - 1)
        table[at] = np.int64(hashes[row]) << 31 | row


@_compiled
def find(hashes: Any, size: int, table: Any, known: Any) -> int:
    """Write the weight rows of known hashes to `known`; returns how many."""
    # A separate pass, because its memory accesses then overlap.
    shift = 32 - int(np.log2(table.shape[0]))
    last = table.shape[0] - 1
    count = 0
    for i in range(size):
        wanted = np.int64(hashes[i])
        at = wanted >> shift
        entry = table[at]
        while entry >= 0 and entry >> 31 != wanted:
            at = (at + 1) & last
            entry = table[at]
        if entry >= 0:
            known[count] = entry & 0x7FFFFFFF
            count += 1
    return count


@_compiled
def _add_up(known: Any, size: int, weights: Any, gains: Any, seen: Any, stamp: int, total: Any) -> None:
    """Sum weights[row, column] * gain over the known n-grams into `total`. `gains[0, k]` is what
    occurrence k + 1 of an n-gram adds to its sub-linear term frequency, `gains[1, k]` what it adds
    to the square of that (last column).

    `seen` counts occurrences per weight row. A count below `stamp` belongs to an earlier text, so
    `seen` is never cleared.
    """
    columns = weights.shape[1]
    last = columns - 1
    first = gains[0, 0]
    total[:] = 0
    for at in range(size):
        row = known[at]
        count = max(seen[row] - stamp, 0)
        seen[row] = stamp + min(count, MAX_COUNT) + 1
        if count == 0:  # nearly always, so this loop has no table look-up
            for column in range(columns):
                total[column] += np.int32(weights[row, column]) * first
        elif count < MAX_COUNT:
            gain = gains[0, count]
            for column in range(columns):
                total[column] += np.int32(weights[row, column]) * gain
            total[last] += np.int32(weights[row, last]) * (gains[1, count] - gain)


@_compiled
def score_rows(
    data: Any, offsets: Any, fold: Any, plan: Any, table: Any, weights: Any, gains: Any, scales: Any, bias: Any,
    stranger: Any, top: Any, probability: Any,
) -> None:  # fmt: skip
    """Write each row's three best classes and their softmax probabilities, both (rows, 3).

    `table` (see `fill_table`) gives the weight row of an n-gram's hash. The last column of `weights`
    (rows, classes + 1) int8 holds squared inverse document frequencies, so that its sum is the
    squared length of the text's vector; `stranger` is its value for unknown n-grams, 0 ignores them.
    `scales` (classes + 1,) turn integer sums into scores; `scales` and `bias` include the
    temperature. A row without a known n-gram gets top -1 and probability 0; so do the ranks left
    over if there are fewer than three classes.
    """
    longest = _longest(offsets)
    symbols = np.empty(longest + 1, np.uint32)
    starts = np.empty(longest + 2, np.int64)
    hashes = np.empty(room(longest, plan), np.uint32)
    known = np.empty(hashes.shape[0], np.int32)
    seen = np.zeros(weights.shape[0], np.int64)
    classes = weights.shape[1] - 1
    total = np.empty(classes + 1, np.int32)
    scores = np.empty(classes, np.float32)
    for row in range(offsets.shape[0] - 1):
        size, tokens = _symbols(data, offsets[row], offsets[row + 1], fold, symbols, starts)
        grams = _grams(symbols, size, starts, tokens, plan, hashes)
        count = find(hashes, grams, table, known)
        _add_up(known, count, weights, gains, seen, (row + 1) << _STAMP_BITS, total)
        if total[classes] == 0:
            top[row, :] = -1
            probability[row, :] = 0
            continue
        strangers = np.int32(min(grams - count, MOST_STRANGERS))
        total[classes] += strangers * np.int32(stranger) * gains[0, 0]
        length = np.float32(np.sqrt(total[classes] * scales[classes]))
        for column in range(classes):
            scores[column] = total[column] * scales[column] / length + bias[column]
        _top3(scores, classes, top[row])
        mass = np.float32(0)
        for column in range(classes):
            mass += np.exp(scores[column] - scores[top[row, 0]])
        for rank in range(3):
            best = top[row, rank]
            probability[row, rank] = 0
            if best >= 0:
                probability[row, rank] = np.exp(scores[best] - scores[top[row, 0]]) / mass


@_compiled
def dissect(data: Any, fold: Any, plan: Any, symbols: Any, starts: Any, hashes: Any) -> tuple[int, int, int]:
    """Write one text's symbols, token limits and hashes, to explain an answer; returns how many of
    each. The arrays must have `data.shape[0]` + 1, + 2 and `room(...)` entries.
    """
    size, tokens = _symbols(data, 0, data.shape[0], fold, symbols, starts)
    return size, tokens, _grams(symbols, size, starts, tokens, plan, hashes)

"""Explains an answer: which n-grams of the text had the largest weight."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.classify import kernel
from pipelines.classify.characters import fold_table
from pipelines.classify.features import Ngrams, strings
from pipelines.classify.model import GAIN_UNIT, OTHER, Model, gains


@dataclass(frozen=True)
class Weighed:
    """An n-gram as folded (lower case, digits as 0), and what it added to the log-odds of the
    answer.

    N-grams of a lead (see `Ngrams`) begin with `^`; token n-grams are enclosed in `|`.
    """

    ngram: str
    weight: float


class _Known(NamedTuple):
    """The n-grams of a text that the model knows, in the kernel's order, as names and weight rows;
    `strangers`: how many it does not know.
    """

    names: list[str]
    rows: list[int]
    strangers: int


def explain(model: Model, text: str, most: int = 8) -> tuple[Weighed, ...]:
    """The n-grams with the largest weight for the class that the model answers, largest first. Only
    positive weights. Empty for a text without a known n-gram.
    """
    code = int(model.predict(strings([text])).codes[0])
    known = _known(model, text)
    if not known.rows or (code == OTHER and OTHER not in model.codes):
        return ()
    column = int(np.searchsorted(model.codes, code))
    steps, counts = gains(), Counter[int]()
    added: Counter[str] = Counter()
    square = float(known.strangers * model.stranger * int(steps[0, 0]))
    for name, row in zip(known.names, known.rows, strict=True):
        count = min(counts[row], kernel.MAX_COUNT - 1)
        counts[row] += 1
        added[name] += int(model.weights[row, column]) * int(steps[0, count])
        square += int(model.weights[row, -1]) * int(steps[1, count])
    length = np.sqrt(square * model.scales[-1] / GAIN_UNIT)
    unit = model.scales[column] / GAIN_UNIT / model.temperature / length
    return tuple(
        Weighed(name, round(float(weight * unit), 4)) for name, weight in added.most_common(most) if weight > 0
    )


def _known(model: Model, text: str) -> _Known:
    data = np.frombuffer(text.encode("utf-8", "replace") or b" ", np.uint8)
    plan = model.ngrams.plan()
    symbols, starts = np.empty(len(data) + 1, np.uint32), np.empty(len(data) + 2, np.int64)
    hashes = np.empty(kernel.room(len(data), plan), np.uint32)
    size, tokens, count = kernel.dissect(data, fold_table(), plan, symbols, starts, hashes)
    limits = starts[: tokens + 1].tolist()
    names = list(_names("".join(map(chr, symbols[:size].tolist())), limits, model.ngrams))
    rows = model.rows_of(hashes[:count])
    pairs = [(name, row) for name, row in zip(names, rows.tolist(), strict=True) if row >= 0]
    strangers = min(count - len(pairs), kernel.MOST_STRANGERS)
    return _Known([name for name, _ in pairs], [row for _, row in pairs], strangers)


def _names(folded: str, limits: list[int], ngrams: Ngrams) -> Iterator[str]:
    """The n-grams of a folded text in the order of `kernel._grams`."""
    yield from _names_of_part(folded, limits, len(limits) - 1, ngrams, "")
    for lead in ngrams.leads:
        leading = min(lead, len(limits) - 1)
        yield from _names_of_part(folded[: limits[leading]], limits, leading, ngrams, "^")


def _names_of_part(folded: str, limits: list[int], tokens: int, ngrams: Ngrams, mark: str) -> Iterator[str]:
    for start in range(len(folded)):
        for size in range(ngrams.low, min(ngrams.high, len(folded) - start) + 1):
            yield mark + folded[start : start + size]
    words = [folded[limits[token] : limits[token + 1]] for token in range(tokens)]
    for first in range(tokens):
        for last in range(first + 1, min(first + ngrams.words, tokens) + 1):
            yield f"{mark}|{' '.join(words[first:last])}|"

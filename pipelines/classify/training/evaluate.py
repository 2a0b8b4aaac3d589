"""How good answers are: accuracy, macro-F1, calibration, and what is mistaken for what."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Scores:
    """Measured on `rows` labelled texts. `top3`: the truth is among the best three. `calibration_error`: expected
    calibration error over 10 equal-width bins of confidence (Guo et al. 2017). `coverage`: share of rows at or above
    `threshold`; `accuracy_covered`: accuracy of those.
    """

    rows: int
    accuracy: float
    top3: float
    macro_f1: float
    calibration_error: float
    threshold: float
    coverage: float
    accuracy_covered: float


@dataclass(frozen=True)
class Confusion:
    """`count` texts of type `truth` that were answered `answer`."""

    truth: int
    answer: int
    count: int


def score(
    truth: NDArray[np.int16], alternatives: NDArray[np.int16], confidence: NDArray[np.float32], threshold: float
) -> Scores:
    """Scores of answers: `truth` (rows,), `alternatives` (rows, 3) best first, `confidence` (rows,) of the best."""
    right = alternatives[:, 0] == truth
    covered = confidence >= threshold
    return Scores(
        rows=len(truth),
        accuracy=float(right.mean()),
        top3=float((alternatives == truth[:, None]).any(axis=1).mean()),
        macro_f1=macro_f1(truth, alternatives[:, 0]),
        calibration_error=calibration_error(confidence, right),
        threshold=threshold,
        coverage=float(covered.mean()),
        accuracy_covered=float(right[covered].mean()) if covered.any() else 0.0,
    )


def macro_f1(truth: NDArray[np.int16], answers: NDArray[np.int16]) -> float:
    """Unweighted mean of F1 over every class that occurs in truth or answers."""
    figures = []
    for code in np.union1d(truth, answers):
        hits = int(((truth == code) & (answers == code)).sum())
        figures.append(2 * hits / int((truth == code).sum() + (answers == code).sum()))
    return float(np.mean(figures))


def calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Mean over bins, weighted by size, of |mean confidence - accuracy|."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    sizes = np.bincount(bins, minlength=BINS)
    gaps = np.bincount(bins, confidence, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(gaps).sum() / max(sizes.sum(), 1))


def threshold_for(confidence: NDArray[np.float32], right: NDArray[np.bool_], wanted: float) -> float:
    """The least confidence, in steps of .01, from which on answers are right in at least `wanted` of cases; 1.01 (no
    answer is good enough) where there is none.
    """
    for threshold in np.arange(0, 1.01, 0.01):
        covered = confidence >= threshold
        if covered.any() and right[covered].mean() >= wanted:
            return round(float(threshold), 2)
    return 1.01


@dataclass(frozen=True)
class AtThreshold:
    """`coverage`: share of answers with at least this confidence; `accuracy`: of those (0 where there are none);
    `left`: how many answers are below.
    """

    threshold: float
    coverage: float
    accuracy: float
    left: int


def by_threshold(
    truth: NDArray[np.int16], answers: NDArray[np.int16], confidence: NDArray[np.float32], used: float
) -> list[AtThreshold]:
    """Coverage and accuracy at thresholds 0, .3, .4 ... .9 and at the one in use, ascending."""
    right = answers[:, 0] == truth
    rows = []
    for threshold in sorted({0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, used}):
        covered = confidence >= np.float32(threshold)
        accuracy = float(right[covered].mean()) if covered.any() else 0.0
        rows.append(AtThreshold(threshold, float(covered.mean()), accuracy, int((~covered).sum())))
    return rows


def best_cut(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The score at or above which to say yes for the largest F1; 0 where nothing is true."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    return float(scores[order[int(np.argmax(f1))]]) if truth.any() else 0.0


def f1_score(answers: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """F1 of the true class; 0 where there is neither a true row nor a yes."""
    return float(2 * (answers & truth).sum() / max(int(answers.sum() + truth.sum()), 1))


def confusions(truth: NDArray[np.int16], answers: NDArray[np.int16], most: int = 15) -> list[Confusion]:
    """The most frequent mistakes, worst first."""
    wrong = truth != answers
    counted = Counter(zip(truth[wrong].tolist(), answers[wrong].tolist(), strict=True))
    return [Confusion(one, other, count) for (one, other), count in counted.most_common(most)]

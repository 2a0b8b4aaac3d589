"""How good answers are: accuracy, macro F1, calibration error, and which types are confused."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix_at_thresholds, f1_score

BINS = 10


@dataclass(frozen=True)
class Scores:
    """Measured on `rows` labelled texts. `top3`: the truth is among the best three.
    `calibration_error`: expected calibration error over 10 equal-width bins of confidence (Guo et
    al. 2017). `coverage`: share of rows at or above `threshold`; `accuracy_covered`: accuracy of
    those.
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
    """`count` texts of type `truth` were answered with `answer`."""

    truth: int
    answer: int
    count: int


def score(
    truth: NDArray[np.int16],
    alternatives: NDArray[np.int16],
    confidence: NDArray[np.float32],
    threshold: float,
) -> Scores:
    """Scores of answers: `truth` (rows,), `alternatives` (rows, 3) best first, `confidence` (rows,)
    of the best. Macro F1 is over every class that occurs in the truth or in the answers.
    """
    right = alternatives[:, 0] == truth
    covered = confidence >= threshold
    return Scores(
        rows=len(truth),
        accuracy=float(right.mean()),
        top3=float((alternatives == truth[:, None]).any(axis=1).mean()),
        macro_f1=float(f1_score(truth, alternatives[:, 0], average="macro")),
        calibration_error=calibration_error(confidence, right),
        threshold=threshold,
        coverage=float(covered.mean()),
        accuracy_covered=float(right[covered].mean()) if covered.any() else 0.0,
    )


def confidence_bins(confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """The bin 0..9 of each confidence: [0, .1), [.1, .2), ... [.9, 1]."""
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Mean over bins, weighted by size, of |mean confidence - accuracy|."""
    bins = confidence_bins(confidence)
    gaps = np.bincount(bins, confidence, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(gaps).sum() / max(len(confidence), 1))


def threshold_for(confidence: NDArray[np.float32], right: NDArray[np.bool_], wanted: float) -> float:
    """The smallest confidence, in steps of .01, at or above which the share of right answers is at
    least `wanted`; 1.01, which no answer reaches, if there is none.
    """
    for threshold in np.arange(0, 1.01, 0.01):
        covered = confidence >= threshold
        if covered.any() and right[covered].mean() >= wanted:
            return round(float(threshold), 2)
    return 1.01


@dataclass(frozen=True)
class AtThreshold:
    """`coverage`: share of answers with at least this confidence; `accuracy`: of those (0 if there
    are none); `left`: number of answers below.
    """

    threshold: float
    coverage: float
    accuracy: float
    left: int


def by_threshold(
    truth: NDArray[np.int16],
    answers: NDArray[np.int16],
    confidence: NDArray[np.float32],
    used: float,
) -> list[AtThreshold]:
    """Coverage and accuracy at thresholds 0, .3, .4 ... .9 and at the one in use, ascending."""
    right = answers[:, 0] == truth
    rows = []
    for threshold in sorted({0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, used}):
        covered = confidence >= np.float32(threshold)
        accuracy = float(right[covered].mean()) if covered.any() else 0.0
        left = int((~covered).sum())
        rows.append(AtThreshold(threshold, float(covered.mean()), accuracy, left))
    return rows


def best_cut(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The score at or above which answering yes gives the largest F1; the largest such score on a
    tie. `truth` must hold both classes.
    """
    _, false, missed, hits, cuts = confusion_matrix_at_thresholds(truth, scores)
    return float(cuts[np.argmax(2 * hits / (2 * hits + false + missed))])


def confusions(truth: NDArray[np.int16], answers: NDArray[np.int16], most: int = 15) -> list[Confusion]:
    """The most frequent mistakes, most frequent first."""
    wrong = truth != answers
    counted = Counter(zip(truth[wrong].tolist(), answers[wrong].tolist(), strict=True))
    return [Confusion(*codes, count) for codes, count in counted.most_common(most)]

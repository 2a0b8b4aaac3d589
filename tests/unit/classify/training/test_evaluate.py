"""The figures that decide whether a model is good."""

import numpy as np
import pytest
from sklearn.metrics import f1_score as reference_f1

from pipelines.classify.training.evaluate import (
    Confusion,
    best_cut,
    calibration_error,
    confusions,
    f1_score,
    macro_f1,
    score,
    threshold_for,
)

TRUTH = np.array([101, 101, 102, 102, 103], np.int16)
ANSWERS = np.array([101, 102, 102, 102, 104], np.int16)
CONFIDENCE = np.array([0.9, 0.4, 0.8, 0.7, 0.2], np.float32)


def test_macro_f1_is_scikit_learns() -> None:
    generator = np.random.default_rng(4)
    truth, answers = generator.integers(0, 9, 300), generator.integers(0, 9, 300)
    assert macro_f1(truth, answers) == pytest.approx(reference_f1(truth, answers, average="macro"))
    assert macro_f1(TRUTH, ANSWERS) == pytest.approx(reference_f1(TRUTH, ANSWERS, average="macro", zero_division=0))


def test_scores_of_a_small_table() -> None:
    alternatives = np.column_stack([ANSWERS, np.array([1, 101, 1, 1, 1]), np.array([2, 2, 2, 2, 103])]).astype(np.int16)
    made = score(TRUTH, alternatives, CONFIDENCE, 0.5)
    assert (made.rows, made.accuracy, made.top3, made.coverage, made.accuracy_covered) == (5, 0.6, 1.0, 0.6, 1.0)


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.15, 0.15], np.float32)
    right = np.array([True, False, False, False])
    assert calibration_error(confidence, right) == pytest.approx((2 * 0.45 + 2 * 0.15) / 4)
    assert calibration_error(np.array([1.0], np.float32), np.array([True])) == 0


def test_the_threshold_is_the_least_that_is_good_enough() -> None:
    right = TRUTH == ANSWERS
    assert threshold_for(CONFIDENCE, right, 0.6) == 0
    assert threshold_for(CONFIDENCE, right, 1.0) == 0.41
    assert threshold_for(CONFIDENCE, ~right & False, 0.5) == 1.01


def test_best_cut_finds_the_largest_f1() -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
    truth = np.array([True, True, False, True, False])
    best = max(f1_score(scores >= cut, truth) for cut in scores)
    assert f1_score(scores >= best_cut(scores, truth), truth) == best
    assert f1_score(np.zeros(2, bool), np.zeros(2, bool)) == 0


def test_confusions_are_counted_worst_first() -> None:
    truth, answers = np.append(TRUTH, 103).astype(np.int16), np.append(ANSWERS, 104).astype(np.int16)
    assert confusions(truth, answers) == [Confusion(103, 104, 2), Confusion(101, 102, 1)]

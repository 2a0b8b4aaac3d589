"""The figures by which a model is judged."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from pipelines.classify.training.evaluate import (
    Confusion,
    best_cut,
    calibration_error,
    confusions,
    score,
    threshold_for,
)

TRUTH = np.array([101, 101, 102, 102, 103], np.int16)
ANSWERS = np.array([101, 102, 102, 102, 104], np.int16)
CONFIDENCE = np.array([0.9, 0.4, 0.8, 0.7, 0.2], np.float32)


def test_scores_of_a_small_table() -> None:
    others = np.array([[1, 101, 1, 1, 1], [2, 2, 2, 2, 103]])
    alternatives = np.vstack([ANSWERS, others]).T.astype(np.int16)
    scores = score(TRUTH, alternatives, CONFIDENCE, 0.5)
    assert (scores.rows, scores.accuracy, scores.top3) == (5, 0.6, 1.0)
    assert (scores.coverage, scores.accuracy_covered) == (0.6, 1.0)
    # F1: 2/3 of 101, 4/5 of 102, 0 of 103 (never answered) and of 104 (never true)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 4)


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.15, 0.15], np.float32)
    right = np.array([True, False, False, False])
    assert calibration_error(confidence, right) == pytest.approx((2 * 0.45 + 2 * 0.15) / 4)
    assert calibration_error(np.array([1.0], np.float32), np.array([True])) == 0


def test_the_threshold_is_the_smallest_that_suffices() -> None:
    right = TRUTH == ANSWERS
    assert threshold_for(CONFIDENCE, right, 0.6) == 0
    assert threshold_for(CONFIDENCE, right, 1.0) == 0.41
    assert threshold_for(CONFIDENCE, ~right & False, 0.5) == 1.01


def test_best_cut_finds_the_largest_f1() -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
    truth = np.array([True, True, False, True, False])
    best = max(f1_score(truth, scores >= cut) for cut in scores)
    assert f1_score(truth, scores >= best_cut(scores, truth)) == best


def test_equal_scores_are_cut_together() -> None:
    scores, truth = np.array([0.5, 0.5, 0.4]), np.array([True, False, True])
    assert best_cut(scores, truth) == 0.4


def test_the_most_frequent_confusion_comes_first() -> None:
    truth, answers = (np.append(codes, code).astype(np.int16) for codes, code in ((TRUTH, 103), (ANSWERS, 104)))
    assert confusions(truth, answers) == [Confusion(103, 104, 2), Confusion(101, 102, 1)]

"""Turns scores into probabilities that match how often answers are right."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from pipelines.classify.model import OTHER, log_odds


def temperature(scores: NDArray[np.float64], columns: NDArray[np.int64]) -> float:
    """The divisor of `scores` (rows, classes) that maximises the likelihood of the true `columns`
    (rows,): temperature scaling, Guo et al. 2017.
    """
    rows = np.arange(len(columns))

    def loss(log_temperature: float) -> float:
        chances = softmax(scores / np.exp(log_temperature), axis=1)[rows, columns]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x))


def prior_shift(labels: NDArray[np.int16], other: float) -> NDArray[np.float64]:
    """What to add to the log-odds of each class (ascending codes) if 999 has the share `other` in
    operation instead of its share of `labels` (Saerens et al. 2002, for one class). Zeros if
    `other` is 0 or not below that share.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    share = float(sizes[classes == OTHER].sum() / len(labels))
    if not 0 < other < share:
        return np.zeros(len(classes))
    return np.where(classes == OTHER, np.log(other / share), 0.0)


def platt(chances: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that map the log-odds of the best answer to how often it is right (Platt
    1999).

    (1, 0), which changes nothing, if all answers are right or all are wrong: nothing can be fitted.
    """
    if right.all() or not right.any():
        return 1.0, 0.0
    curve = LogisticRegression(C=1e6).fit(log_odds(chances)[:, None], right)
    return round(float(curve.coef_[0, 0]), 6), round(float(curve.intercept_[0]), 6)

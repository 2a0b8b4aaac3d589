"""Scores to probabilities that are right as often as they say."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from pipelines.classify.model import OTHER, log_odds


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def temperature(scores: NDArray[np.float64], columns: NDArray[np.int64]) -> float:
    """The divisor of scores that gives the true columns the largest likelihood (temperature scaling, Guo 2017)."""

    def loss(log_temperature: float) -> float:
        chances = softmax(scores / np.exp(log_temperature))[np.arange(len(columns)), columns]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x))


def prior_shift(labels: NDArray[np.int16], other: float) -> NDArray[np.float64]:
    """What to add to the log-odds of each class (ascending codes) where 999 has the share `other` in place of its share
    of `labels` (Saerens et al. 2002, for one class).
    """
    classes, sizes = np.unique(labels, return_counts=True)
    share = float(sizes[classes == OTHER].sum() / len(labels))
    apply = other > 0 and share > other
    return np.where(classes == OTHER, np.log(other / share), 0.0) if apply else np.zeros(len(classes))


def platt(chances: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that turn the log-odds of the best answer into how often it is right (Platt 1999); no change
    where every answer is right, or every one wrong: there is nothing to fit.
    """
    if right.all() or not right.any():
        return 1.0, 0.0
    fitted = LogisticRegression(C=1e6).fit(log_odds(chances)[:, None], right)
    return round(float(fitted.coef_[0, 0]), 6), round(float(fitted.intercept_[0]), 6)

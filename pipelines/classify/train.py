"""Training: hashed counts to a linear model, quantised, with a temperature fitted on held-out scores."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from pipelines.classify.features import Ngrams, counts
from pipelines.classify.model import Model
from pipelines.classify.modelfile import versioned


@dataclass(frozen=True)
class Settings:
    """`c`: inverse regularisation of the linear SVM; `min_texts`: an n-gram in fewer training texts is dropped."""

    ngrams: Ngrams = field(default_factory=Ngrams)
    c: float = 1.0
    min_texts: int = 2
    folds: int = 5
    seed: int = 20


@dataclass(frozen=True)
class Fit:
    """A fitted linear model before quantisation. `columns` (n-grams,): which columns of the counts it kept;
    `coefficients` (classes, n-grams) already carry the inverse document frequency `idf`.
    """

    classes: NDArray[np.int16]
    columns: NDArray[np.int64]
    idf: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]

    def scores(self, raw: csr_matrix) -> NDArray[np.float64]:
        """Scores (rows, classes) of counts that have the columns it was fitted on."""
        return np.asarray(weigh(raw[:, self.columns], self.idf) @ (self.coefficients / self.idf).T + self.bias)


def weigh(kept: csr_matrix, idf: NDArray[np.float64]) -> csr_matrix:
    """(1 + ln count) x idf, each row scaled to length 1."""
    kept = kept.astype(np.float64)
    kept.data = 1 + np.log(kept.data)
    return normalize(kept.multiply(idf[None, :]).tocsr())


def fit(raw: csr_matrix, labels: NDArray[np.int16], settings: Settings) -> Fit:
    """Fit on counts (rows, n-grams) and one code per row."""
    texts = np.bincount(raw.indices, minlength=raw.shape[1])
    columns = np.flatnonzero(texts >= settings.min_texts)
    idf = np.log((1 + raw.shape[0]) / (1 + texts[columns])) + 1
    svm = LinearSVC(C=settings.c, random_state=settings.seed).fit(weigh(raw[:, columns], idf), labels)
    coefficients, bias = svm.coef_, svm.intercept_
    if len(svm.classes_) == 2:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    return Fit(svm.classes_.astype(np.int16), columns, idf, coefficients * idf, bias)


def held_out(
    raw: csr_matrix, labels: NDArray[np.int16], settings: Settings, fitter: Callable[..., Fit] = fit
) -> NDArray[np.float64]:
    """Scores (rows, classes) of every row by a model that has not seen it; classes in ascending order of code."""
    scores = np.zeros((raw.shape[0], len(np.unique(labels))))
    folds = StratifiedKFold(settings.folds, shuffle=True, random_state=settings.seed)
    for train, test in folds.split(labels, labels):
        scores[test] = fitter(raw[train], labels[train], settings).scores(raw[test])
    return scores


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def temperature(scores: NDArray[np.float64], columns: NDArray[np.int64]) -> float:
    """The divisor of scores that gives the true columns the largest likelihood (temperature scaling, Guo 2017)."""

    def loss(log_temperature: float) -> float:
        chances = softmax(scores / np.exp(log_temperature))[np.arange(len(columns)), columns]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x))


def quantised(coefficients: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 of shape (features, columns) and the scale of each column."""
    scales = np.maximum(np.abs(coefficients).max(axis=1), 1e-9) / 127
    return np.rint(coefficients / scales[:, None]).T.astype(np.int8).copy(), scales.astype(np.float32)


def train(
    texts: pa.Array, labels: NDArray[np.int16], taxonomy: str, settings: Settings, facts: dict[str, Any]
) -> Model:
    """A model for these texts; `facts` go into the file beside the settings."""
    raw, hashes = counts(texts, settings.ngrams)
    scores = held_out(raw, labels, settings)
    fitted = fit(raw, labels, settings)
    weights, scales = quantised(np.vstack([fitted.coefficients, fitted.idf**2]))
    return versioned(
        Model(
            version="",
            taxonomy=taxonomy,
            codes=fitted.classes,
            ngrams=settings.ngrams,
            hashes=hashes[fitted.columns],
            weights=weights,
            scales=scales,
            bias=fitted.bias.astype(np.float32),
            temperature=temperature(scores, np.searchsorted(fitted.classes, labels)),
            threshold=0.5,
            facts=facts,
        )
    )

"""The linear model: one weight per n-gram and class, and scores of texts that it has not seen."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from pipelines.classify.features import Ngrams

_TOLERANCE = 0.01
"""Where the SVM's solver stops. With scikit-learn's default of .0001 training takes a quarter
longer and 1,300 titles get the same answers."""


@dataclass(frozen=True)
class Settings:
    """`c`: inverse regularisation of the linear SVM. `bayes`: power of the naive Bayes ratios that
    scale n-grams before the SVM weighs them, 0 (not scaled) to 1; see `ratios`. `min_texts`:
    n-grams in fewer training texts are dropped. `strangers`: whether n-grams unknown to the model
    count in a text's length, each as if it were in a single training text. `places`: weight of a
    copy of each short text with an invented place before it (0: no copies); real titles begin with
    a place, whatever their type.

    `wanted`: the accuracy that answers at or above the threshold must have on held-out texts.
    `other`: the share of 999 expected in operation; 0 takes the share in the training texts. That
    share is far larger than in messages, because 999 needs variety: of 640 labelled titles of
    public petitions, .8 % had no type.
    """

    ngrams: Ngrams = field(default_factory=Ngrams)
    c: float = 0.5
    min_texts: int = 1
    folds: int = 3
    seed: int = 20
    wanted: float = 0.8
    strangers: bool = True
    other: float = 0.01
    bayes: float = 0.25
    places: float = 0.5


@dataclass(frozen=True)
class Examples:
    """What a model is fitted on: counts `raw` (rows, n-grams), one code and one weight per row.
    `source` (rows,): the report that a row is or is a copy of; -1 for a row of no report, which
    every fold may train on. Reports come first, in order: row i is report i.
    """

    raw: csr_matrix
    labels: NDArray[np.int16]
    weights: NDArray[np.float64]
    source: NDArray[np.int64]

    @classmethod
    def of(cls, raw: csr_matrix, labels: NDArray[np.int16]) -> "Examples":
        """Examples of reports only, all with weight 1."""
        return cls(raw, labels, np.ones(len(labels)), np.arange(len(labels)))

    def rows(self, chosen: NDArray[np.bool_]) -> "Examples":
        return Examples(self.raw[chosen], self.labels[chosen], self.weights[chosen], self.source[chosen])


@dataclass(frozen=True)
class Fit:
    """A fitted linear model before quantisation. `columns` (n-grams,): the columns of the counts
    that it kept. `coefficients` (classes, n-grams) include the inverse document frequency `idf`.
    """

    classes: NDArray[np.int16]
    columns: NDArray[np.int64]
    idf: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]
    strangers: bool

    def scores(self, raw: csr_matrix) -> NDArray[np.float64]:
        """Scores (rows, classes) of counts with the same columns as those it was fitted on."""
        weighed = weigh(raw, self.columns, self.idf, self.strangers)
        return np.asarray(weighed @ (self.coefficients / self.idf).T + self.bias)


def weigh(raw: csr_matrix, columns: NDArray[np.int64], idf: NDArray[np.float64], strangers: bool) -> csr_matrix:
    """(1 + ln count) x idf of the n-grams in `columns`, each row scaled to length 1. With
    `strangers` that length also counts the other n-grams, each occurrence with the largest idf.
    """
    kept = raw[:, columns].astype(np.float64)
    others = np.asarray(raw.sum(axis=1) - kept.sum(axis=1), np.float64).ravel()
    kept.data = 1 + np.log(kept.data)
    kept = kept.multiply(idf[None, :]).tocsr()
    if not strangers:
        return normalize(kept)
    squares = np.asarray(kept.multiply(kept).sum(axis=1)).ravel() + others * idf.max() ** 2
    return csr_matrix(diags_array(1 / np.sqrt(np.maximum(squares, 1e-9))) @ kept)


def fit(examples: Examples, settings: Settings) -> Fit:
    """Fit one SVM per class against all others; for two classes a single one, used with both
    signs.
    """
    raw, labels = examples.raw, examples.labels
    texts = np.bincount(raw.indices, minlength=raw.shape[1])
    columns = np.flatnonzero(texts >= settings.min_texts)
    idf = np.log((1 + raw.shape[0]) / (1 + texts[columns])) + 1
    weighed = weigh(raw, columns, idf, settings.strangers)
    classes = np.unique(labels)
    binary = len(classes) == 2
    fits = [
        _against_others(weighed, labels == code, examples.weights, settings)
        for code in (classes[1:] if binary else classes)
    ]
    coefficients = np.vstack([row for row, _ in fits])
    bias = np.array([intercept for _, intercept in fits])
    if binary:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    return Fit(classes, columns, idf, coefficients * idf, bias, settings.strangers)


def _against_others(
    weighed: csr_matrix,
    inside: NDArray[np.bool_],
    weights: NDArray[np.float64],
    settings: Settings,
) -> tuple[NDArray[np.float64], float]:
    """Coefficients (n-grams,) and bias of one class; `inside` (rows,): the rows of that class."""
    scale = ratios(weighed, inside) ** settings.bayes
    scaled_data = weighed.data * scale[weighed.indices]
    scaled = csr_matrix((scaled_data, weighed.indices, weighed.indptr), shape=weighed.shape)
    svm = LinearSVC(C=settings.c, tol=_TOLERANCE, random_state=settings.seed)
    svm.fit(scaled, inside, sample_weight=weights)
    return svm.coef_[0] * scale, float(svm.intercept_[0])


def ratios(weighed: csr_matrix, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How well each n-gram (n-grams,) separates a class from the others: |ln| of the ratio of its
    shares of all weight inside and outside the class, scaled to a mean of 1.

    Wang and Manning (2012) scale an SVM's features by it; a power below 1 is this project's
    addition. The smoothing of .1 was chosen among .02, .1 and 1.
    """
    within = 0.1 + np.asarray(weighed[inside].sum(axis=0)).ravel()
    without = 0.1 + np.asarray(weighed[~inside].sum(axis=0)).ravel()
    ratio = np.abs(np.log(within / within.sum()) - np.log(without / without.sum()))
    return np.asarray(ratio / ratio.mean())


def held_out(
    examples: Examples,
    settings: Settings,
    rows: int,
    groups: NDArray[np.int64] | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Scores (rows, classes) of the first `rows` examples, each by a model that has not seen it, a
    copy of it, or a text of its group. Classes in ascending order of code. Calls `done(1)` after
    each fold.
    """
    scores = np.zeros((rows, len(np.unique(examples.labels))))
    labels = examples.labels[:rows]
    split = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = split(settings.folds, shuffle=True, random_state=settings.seed)
    for train, test in folds.split(labels, labels, groups):
        seen = np.isin(examples.source, train) | (examples.source < 0)
        scores[test] = fit(examples.rows(seen), settings).scores(examples.raw[test])
        done(1)
    return scores

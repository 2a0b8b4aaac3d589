"""The linear model: counts of n-grams to one weight per n-gram and class, and scores of texts it has not seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from pipelines.classify.features import Ngrams

_TOLERANCE = 0.01
"""When the SVM's solver stops. At scikit-learn's own .0001 it takes a quarter longer and answers 1,300 titles alike."""


@dataclass(frozen=True)
class Settings:
    """`c`: inverse regularisation of the linear SVM. `bayes`: how far n-grams count by the ratio of their frequencies
    inside and outside a class before the SVM weighs them (0: not; 1: by all of it; see `ratios`). `min_texts`: an
    n-gram in fewer training texts is dropped. `strangers`: whether n-grams that the model does not know count in a
    text's length, as if each were in a single training text. `places`: weight of a copy of each short text with an
    invented place before it (0: none); real titles begin so, whatever they are about.

    `wanted`: the accuracy that answers at or above the threshold must have on held-out texts. `other`: the share of 999
    expected in operation; 0 takes the training texts' own. They hold far more of it, for its variety, than messages do:
    of 640 labelled titles of public petitions .8 % said nothing that has a type.
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
    """What a model is fitted on: counts `raw` (rows, n-grams), one code and one weight per row. `source` (rows,): the
    report that a row is or was made from, -1 for what belongs to none and may always be learnt from. Reports come
    first, in order: row i is report i.
    """

    raw: csr_matrix
    labels: NDArray[np.int16]
    weights: NDArray[np.float64]
    source: NDArray[np.int64]

    @classmethod
    def of(cls, raw: csr_matrix, labels: NDArray[np.int16]) -> "Examples":
        """Reports only, all of weight 1."""
        return cls(raw, labels, np.ones(len(labels)), np.arange(len(labels)))

    def rows(self, chosen: NDArray[np.bool_]) -> "Examples":
        return Examples(self.raw[chosen], self.labels[chosen], self.weights[chosen], self.source[chosen])


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
    strangers: bool

    def scores(self, raw: csr_matrix) -> NDArray[np.float64]:
        """Scores (rows, classes) of counts that have the columns it was fitted on."""
        weighed = weigh(raw, self.columns, self.idf, self.strangers)
        return np.asarray(weighed @ (self.coefficients / self.idf).T + self.bias)


def weigh(raw: csr_matrix, columns: NDArray[np.int64], idf: NDArray[np.float64], strangers: bool) -> csr_matrix:
    """(1 + ln count) x idf of the n-grams in `columns`, each row scaled to length 1; with `strangers` that length
    counts the other n-grams too, each occurrence with the largest idf.
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
    """Fit one SVM per class against all others."""
    raw, labels = examples.raw, examples.labels
    texts = np.bincount(raw.indices, minlength=raw.shape[1])
    columns = np.flatnonzero(texts >= settings.min_texts)
    idf = np.log((1 + raw.shape[0]) / (1 + texts[columns])) + 1
    weighed = weigh(raw, columns, idf, settings.strangers)
    classes = np.unique(labels)
    found = [_against_others(weighed, labels == code, examples.weights, settings) for code in _told_apart(classes)]
    coefficients, bias = np.vstack([row for row, _ in found]), np.array([offset for _, offset in found])
    if len(classes) == 2:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    return Fit(classes, columns, idf, coefficients * idf, bias, settings.strangers)


def _told_apart(classes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Of two classes one is enough: what speaks for it speaks against the other."""
    return classes[1:] if len(classes) == 2 else classes


def _against_others(
    weighed: csr_matrix, inside: NDArray[np.bool_], weights: NDArray[np.float64], settings: Settings
) -> tuple[NDArray[np.float64], float]:
    """Coefficients (n-grams,) and bias of one class."""
    scale = ratios(weighed, inside) ** settings.bayes
    scaled = csr_matrix((weighed.data * scale[weighed.indices], weighed.indices, weighed.indptr), shape=weighed.shape)
    svm = LinearSVC(C=settings.c, tol=_TOLERANCE, random_state=settings.seed).fit(scaled, inside, sample_weight=weights)
    return svm.coef_[0] * scale, float(svm.intercept_[0])


def ratios(weighed: csr_matrix, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How telling each n-gram is of a class: |ln| of the ratio of its shares of all weight inside and outside, mean 1.

    Scaling by it is the SVM with naive Bayes features of Wang and Manning (2012); the power below 1 between the two is
    ours. The smoothing of .1 was chosen among .02, .1 and 1.
    """
    within = 0.1 + np.asarray(weighed[inside].sum(axis=0)).ravel()
    without = 0.1 + np.asarray(weighed[~inside].sum(axis=0)).ravel()
    found = np.abs(np.log(within / within.sum()) - np.log(without / without.sum()))
    return np.asarray(found / found.mean())


def held_out(
    examples: Examples,
    settings: Settings,
    rows: int,
    groups: NDArray[np.int64] | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Scores (rows, classes) of the first `rows` examples, each by a model that has not seen it, nor anything made from
    it, nor a text of its group. Classes in ascending order of code. `done` is told 1 after each fold.
    """
    scores = np.zeros((rows, len(np.unique(examples.labels))))
    for train, test in _folds(examples.labels[:rows], settings, groups):
        seen = np.isin(examples.source, train) | (examples.source < 0)
        scores[test] = fit(examples.rows(seen), settings).scores(examples.raw[test])
        done(1)
    return scores


def _folds(
    labels: NDArray[np.int16], settings: Settings, groups: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    split = StratifiedKFold if groups is None else StratifiedGroupKFold
    yield from split(settings.folds, shuffle=True, random_state=settings.seed).split(labels, labels, groups)

"""Training: hashed counts to a linear model, quantised, with a temperature fitted on held-out scores."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, diags_array
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from pipelines.classify.corpus import Corpus, joined
from pipelines.classify.evaluate import Scores, score, threshold_for
from pipelines.classify.features import Ngrams, counts
from pipelines.classify.model import OTHER, Model, calibrated, log_odds
from pipelines.classify.modelfile import versioned
from schemas.event_types import taxonomy_fingerprint


@dataclass(frozen=True)
class Settings:
    """`c`: inverse regularisation of the linear SVM. `min_texts`: an n-gram in fewer training texts is dropped.
    `wanted`: the accuracy that answers at or above the threshold must have on held-out texts. `strangers`: whether
    n-grams that the model does not know count in a text's length, as if each were in a single training text.
    `other`: the share of 999 expected in operation; 0 takes the training texts' own. They hold far more of it, for its
    variety, than messages do: of 640 labelled titles of public petitions .8 % said nothing that has a type.
    """

    ngrams: Ngrams = field(default_factory=Ngrams)
    c: float = 1.0
    min_texts: int = 1
    folds: int = 5
    seed: int = 20
    wanted: float = 0.8
    strangers: bool = True
    other: float = 0.01


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


def fit(raw: csr_matrix, labels: NDArray[np.int16], settings: Settings) -> Fit:
    """Fit on counts (rows, n-grams) and one code per row."""
    texts = np.bincount(raw.indices, minlength=raw.shape[1])
    columns = np.flatnonzero(texts >= settings.min_texts)
    idf = np.log((1 + raw.shape[0]) / (1 + texts[columns])) + 1
    weighed = weigh(raw, columns, idf, settings.strangers)
    svm = LinearSVC(C=settings.c, random_state=settings.seed).fit(weighed, labels)
    coefficients, bias = svm.coef_, svm.intercept_
    if len(svm.classes_) == 2:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    return Fit(svm.classes_.astype(np.int16), columns, idf, coefficients * idf, bias, settings.strangers)


def held_out(
    raw: csr_matrix,
    labels: NDArray[np.int16],
    settings: Settings,
    rows: int,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Scores (rows, classes) of the first `rows` texts, each by a model that has not seen it, nor any text of its
    group; texts behind them are in every training part. Classes in ascending order of code.
    """
    scores = np.zeros((rows, len(np.unique(labels))))
    behind = np.arange(rows, raw.shape[0])
    split = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = split(settings.folds, shuffle=True, random_state=settings.seed)
    for train, test in folds.split(labels[:rows], labels[:rows], groups):
        seen = np.concatenate([train, behind])
        scores[test] = fit(raw[seen], labels[seen], settings).scores(raw[test])
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


def quantised(coefficients: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 of shape (features, columns) and the scale of each column."""
    scales = np.maximum(np.abs(coefficients).max(axis=1), 1e-9) / 127
    return np.rint(coefficients / scales[:, None]).T.astype(np.int8).copy(), scales.astype(np.float32)


@dataclass(frozen=True)
class Training:
    """A trained model and what held-out texts say about it: `truth` (rows,), `answers` (rows, 3) best first,
    `confidence` (rows,) of the best.
    """

    model: Model
    truth: NDArray[np.int16]
    answers: NDArray[np.int16]
    confidence: NDArray[np.float32]
    scores: Scores


def train(
    reports: Corpus, settings: Settings, keywords: Corpus | None = None, stated: Mapping[str, Any] | None = None
) -> Training:
    """A model for these reports; `keywords` are trained on and never measured. `stated` joins the model's facts.

    The temperature and the threshold come from held-out scores, so they hold for texts like the reports.
    """
    everything = joined(reports, keywords) if keywords else reports
    raw, hashes = counts(everything.texts, settings.ngrams)
    labels, rows = everything.labels, len(reports.labels)
    held = held_out(raw, labels, settings, rows)
    classes = np.unique(labels)
    heat = temperature(held, np.searchsorted(classes, labels[:rows]))
    shift = heat * prior_shift(labels, settings.other)
    held += shift
    chances = softmax(held / heat)
    order = np.argsort(-chances, axis=1, kind="stable")[:, :3]
    answers, chances = classes[order], np.take_along_axis(chances, order, axis=1)
    curve = platt(chances[:, 0], answers[:, 0] == labels[:rows])
    confidence = calibrated(chances, curve)[:, 0]
    threshold = threshold_for(confidence, answers[:, 0] == labels[:rows], settings.wanted)
    measured = score(labels[:rows], answers, confidence, threshold)
    facts = _facts(everything, reports, settings, measured) | dict(stated or {})
    fitted = fit(raw, labels, settings)
    fitted = replace(fitted, bias=fitted.bias + shift)
    model = _assembled(fitted, hashes, settings, facts, (heat, curve, threshold))
    return Training(model, labels[:rows], answers, confidence, measured)


def _facts(everything: Corpus, reports: Corpus, settings: Settings, measured: Scores) -> dict[str, Any]:
    return {
        "corpus": everything.fingerprint,
        "reports": len(reports.labels),
        "keywords": len(everything.labels) - len(reports.labels),
        "settings": asdict(settings),
        "held_out": {name: round(value, 4) for name, value in asdict(measured).items()},
    }


def _assembled(
    fitted: Fit,
    hashes: NDArray[np.uint32],
    settings: Settings,
    facts: dict[str, Any],
    calibration: tuple[float, tuple[float, float], float],
) -> Model:
    heat, curve, threshold = calibration
    weights, scales = quantised(np.vstack([fitted.coefficients, fitted.idf**2]))
    return versioned(
        Model(
            version="",
            taxonomy=taxonomy_fingerprint(),
            codes=fitted.classes,
            ngrams=settings.ngrams,
            hashes=hashes[fitted.columns],
            weights=weights,
            scales=scales,
            bias=fitted.bias.astype(np.float32),
            temperature=heat,
            platt=curve,
            threshold=threshold,
            stranger=int(weights[:, -1].max()) if settings.strangers else 0,
            facts=facts,
        )
    )

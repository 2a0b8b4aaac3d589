"""Training: hashed counts to a quantised linear model, calibrated on held-out scores."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import softmax

from pipelines.classify.features import counts, strings
from pipelines.classify.model import Model, calibrated
from pipelines.classify.modelfile import versioned
from pipelines.classify.training.calibrate import platt, prior_shift, temperature
from pipelines.classify.training.corpus import Corpus, joined
from pipelines.classify.training.evaluate import Scores, score, threshold_for
from pipelines.classify.training.linear import Examples, Fit, Settings, fit, held_out
from pipelines.classify.training.place_names import placed
from schemas.event_types import taxonomy_fingerprint

SHORT = 40
"""Texts of at most this many characters get a copy with a place: nine of ten titles of public
petitions are shorter."""


def quantised(coefficients: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 of shape (features, columns), and the scale of each column."""
    scales = np.maximum(np.abs(coefficients).max(axis=1), 1e-9) / 127
    weights = np.rint(coefficients / scales[:, None]).T.astype(np.int8).copy()
    return weights, scales.astype(np.float32)


class Calibration(NamedTuple):
    """The fields of `Model` that held-out scores determine."""

    temperature: float
    platt: tuple[float, float]
    threshold: float


@dataclass(frozen=True)
class Training:
    """A trained model and its answers to held-out texts: `truth` (rows,), `answers` (rows, 3) best
    first, `confidence` (rows,) of the best.
    """

    model: Model
    truth: NDArray[np.int16]
    answers: NDArray[np.int16]
    confidence: NDArray[np.float32]
    scores: Scores


def train(
    reports: Corpus,
    settings: Settings,
    keywords: Corpus | None = None,
    stated: Mapping[str, Any] | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Training:
    """A model of these reports. `keywords` are trained on and never measured. `stated` is added to
    the model's facts. Calls `done(1)` after each of `settings.folds` + 1 fits.

    The temperature and the threshold come from held-out scores, so they hold for texts like the
    reports.
    """
    everything = joined(reports, keywords) if keywords else reports
    examples, hashes = learnt_from(reports, keywords, settings)
    classes, truth = np.unique(everything.labels), reports.labels
    scores = held_out(examples, settings, len(truth), done=done)
    heat = temperature(scores, np.searchsorted(classes, truth))
    shift = heat * prior_shift(everything.labels, settings.other)
    answers, chances = _best_three(classes, softmax((scores + shift) / heat, axis=1))
    right = answers[:, 0] == truth
    curve = platt(chances[:, 0], right)
    confidence = calibrated(chances, curve)[:, 0]
    calibration = Calibration(heat, curve, threshold_for(confidence, right, settings.wanted))
    measured = score(truth, answers, confidence, calibration.threshold)
    facts = _facts(everything, reports, settings, measured) | dict(stated or {})
    fitted = fit(examples, settings)
    done(1)
    fitted = replace(fitted, bias=fitted.bias + shift)
    model = _assembled(fitted, hashes, settings, facts, calibration)
    return Training(model, truth, answers, confidence, measured)


def learnt_from(reports: Corpus, keywords: Corpus | None, settings: Settings) -> tuple[Examples, NDArray[np.uint32]]:
    """Reports, keywords, and copies of short reports with a place; and the hash of each column of
    their counts.
    """
    texts = reports.texts.to_pylist()
    is_short = [bool(settings.places) and len(text) <= SHORT for text in texts]
    short = np.flatnonzero(np.array(is_short, np.bool_))
    copies = Corpus(strings([placed(texts[row]) for row in short]), reports.labels[short])
    parts = [reports, *([keywords] if keywords else []), copies]
    own, known = len(texts), len(keywords.labels) if keywords else 0
    raw, hashes = counts(pa.concat_arrays([part.texts for part in parts]), settings.ngrams)
    return Examples(
        raw=raw,
        labels=np.concatenate([part.labels for part in parts]),
        weights=np.concatenate([np.ones(own + known), np.full(len(short), settings.places)]),
        source=np.concatenate([np.arange(own), np.full(known, -1), short]),
    ), hashes


def _best_three(
    classes: NDArray[np.int16], chances: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Codes and probabilities (rows, 3) of the three most probable classes, best first."""
    order = np.argsort(-chances, axis=1, kind="stable")[:, :3]
    return classes[order], np.take_along_axis(chances, order, axis=1)


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
    calibration: Calibration,
) -> Model:
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
            stranger=int(weights[:, -1].max()) if settings.strangers else 0,
            facts=facts,
            **calibration._asdict(),
        )
    )

"""Trains the suspect head with the engine of the event types, and scores it."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from pipelines.classify.features import Ngrams, counts, strings
from pipelines.classify.model import log_odds
from pipelines.classify.modelfile import versioned
from pipelines.classify.suspect import LABELS, LIKELY, SuspectHead, apply_curve
from pipelines.classify.training.corpus import FOLDER, Corpus
from pipelines.classify.training.evaluate import calibration_error
from pipelines.classify.training.linear import Examples, Settings, held_out
from pipelines.classify.training.train import train

PRIOR = 0.1
"""Share of perfunctory reports that probabilities are stated for. It was 10.7 % in 12,000 labelled
hazard reports of an industrial district. The corpus holds far more, so its own share would flag too
many."""
# Chosen among orders 2..3, token n-grams and C .5..2, by held-out scores.
SETTINGS = Settings(Ngrams(1, 2), c=1.0, folds=5, strangers=False, bayes=0, places=0)
_FILES = {"sound.txt": 0, "perfunctory.txt": 1}


@dataclass(frozen=True)
class SuspectScores:
    """Scores on texts that the head has not seen. `f1`, `precision`, `recall` of label 1 at a
    probability >= `LIKELY`. `auc`: area under the ROC curve. `average_precision`: area under the
    curve of precision over recall.
    """

    rows: int
    positives: int
    f1: float
    precision: float
    recall: float
    auc: float
    average_precision: float


def suspect_corpus(folder: Path = FOLDER / "suspect") -> Corpus:
    """Reports written for this: label 0 from `sound.txt`, 1 from `perfunctory.txt`, no pair
    twice.
    """
    pairs = sorted({(label, line) for name, label in _FILES.items() for line in _lines(folder / name)})
    labels = np.array([label for label, _ in pairs], np.int16)
    return Corpus(strings([text for _, text in pairs]), labels)


def _lines(file: Path) -> list[str]:
    lines = map(str.strip, file.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def train_head(reports: Corpus, settings: Settings = SETTINGS) -> SuspectHead:
    """A head trained on these reports. Its calibration, and the scores in its facts, come from
    held-out texts.
    """
    model = train(reports, settings).model
    chance = _held_out_chances(reports, settings, model.temperature)
    truth = reports.labels == 1
    fitted = LogisticRegression(C=1e6).fit(log_odds(chance)[:, None], truth)
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    # Log-odds at the corpus's share of label 1 become log-odds at PRIOR (Saerens et al. 2002).
    curve = round(slope, 6), round(offset + float(logit(PRIOR) - logit(truth.mean())), 6)
    scores = suspect_scores(apply_curve(curve, chance), truth)
    facts = {name: model.facts[name] for name in ("corpus", "reports", "settings")} | {
        "curve": curve,
        "prior": PRIOR,
        "held_out": {name: round(value, 4) for name, value in asdict(scores).items()},
        "calibration_error": round(_calibration(apply_curve((slope, offset), chance), truth), 4),
    }
    model = replace(model, taxonomy=LABELS, platt=(1.0, 0.0), threshold=LIKELY, facts=facts)
    return SuspectHead(versioned(model), curve)


def _held_out_chances(reports: Corpus, settings: Settings, temperature: float) -> NDArray[np.float64]:
    """Probability of label 1 (rows,), each from a model that has not seen the text."""
    raw, _ = counts(reports.texts, settings.ngrams)
    scores = held_out(Examples.of(raw, reports.labels), settings, len(reports.labels))
    return np.asarray(softmax(scores / temperature, axis=1)[:, 1])


def _calibration(chance: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Expected calibration error of the answer, at the corpus's own share of label 1."""
    answers = chance >= LIKELY
    confidence = np.where(answers, chance, 1 - chance).astype(np.float32)
    return calibration_error(confidence, answers == truth)


def suspect_scores(chance: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> SuspectScores:
    """Scores of probabilities (rows,) against the truth (rows,), which must hold both classes."""
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, chance >= LIKELY, average="binary", zero_division=0
    )
    return SuspectScores(
        rows=len(truth),
        positives=int(truth.sum()),
        f1=float(f1),
        precision=float(precision),
        recall=float(recall),
        auc=float(roc_auc_score(truth, chance)),
        average_precision=float(average_precision_score(truth, chance)),
    )

"""Training and measuring the suspect head, with the engine of the event types."""

import csv
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines.classify.features import Ngrams, counts, strings
from pipelines.classify.model import log_odds
from pipelines.classify.modelfile import versioned
from pipelines.classify.suspect import LABELS, LIKELY, SuspectHead, through
from pipelines.classify.training.calibrate import softmax
from pipelines.classify.training.corpus import FOLDER, Corpus
from pipelines.classify.training.evaluate import calibration_error, f1_score
from pipelines.classify.training.linear import Examples, Settings, held_out
from pipelines.classify.training.train import train
from pipelines.errors import UserFault

PRIOR = 0.1
"""Share of perfunctory reports that probabilities are stated for. In 12,000 labelled hazard reports of an industrial
district 10.7 % were; the corpus has far more of them, so its own share would accuse too many."""
# Chosen among orders 2..3, token n-grams and C .5..2, by held-out scores.
SETTINGS = Settings(Ngrams(1, 2), c=1.0, folds=5, strangers=False, bayes=0, places=0)
_FILES = {"sound.txt": 0, "perfunctory.txt": 1}


@dataclass(frozen=True)
class SuspectScores:
    """Of texts that the head has not seen. `f1`, `precision`, `recall` of label 1 at probability >= `LIKELY`; `auc`:
    area under the ROC curve; `average_precision`: area under precision and recall.
    """

    rows: int
    positives: int
    f1: float
    precision: float
    recall: float
    auc: float
    average_precision: float


def suspect_corpus(folder: Path = FOLDER / "suspect") -> Corpus:
    """Reports written for this: label 0 `sound.txt`, 1 `perfunctory.txt`, none twice."""
    pairs = sorted({(label, line) for name, label in _FILES.items() for line in _lines(folder / name)})
    return Corpus(strings([text for _, text in pairs]), np.array([label for label, _ in pairs], np.int16))


def _lines(file: Path) -> list[str]:
    lines = map(str.strip, file.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def train_head(reports: Corpus, settings: Settings = SETTINGS) -> SuspectHead:
    """A head for these reports; its calibration and the scores in its facts are of held-out texts."""
    made = train(reports, settings).model
    raw, _ = counts(reports.texts, settings.ngrams)
    held = held_out(Examples.of(raw, reports.labels), settings, len(reports.labels))
    chance, truth = softmax(held / made.temperature)[:, 1], reports.labels == 1
    fitted = LogisticRegression(C=1e6).fit(log_odds(chance)[:, None], truth)
    own = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    curve = round(own[0], 6), round(own[1] + _shift(float(truth.mean())), 6)
    calibrated = through(own, chance)
    stated = {
        "curve": curve,
        "prior": PRIOR,
        "held_out": _rounded(measured(through(curve, chance), truth)),
        "calibration_error": round(_calibration(calibrated, truth), 4),
    }
    facts = {name: made.facts[name] for name in ("corpus", "reports", "settings")} | stated
    return SuspectHead(
        versioned(replace(made, taxonomy=LABELS, platt=(1.0, 0.0), threshold=LIKELY, facts=facts)), curve
    )


def _shift(share: float) -> float:
    """What turns log-odds at the corpus's share of label 1 into log-odds at `PRIOR` (Saerens et al. 2002)."""
    return float(np.log(PRIOR / (1 - PRIOR)) - np.log(share / (1 - share)))


def _calibration(chance: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """At the corpus's own share: expected calibration error of the answer given."""
    says = chance >= LIKELY
    return calibration_error(np.where(says, chance, 1 - chance).astype(np.float32), says == truth)


def measured(chance: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> SuspectScores:
    """Scores of probabilities (rows,) against what is true (rows,); both classes must occur."""
    says = chance >= LIKELY
    hits = int((says & truth).sum())
    return SuspectScores(
        rows=len(truth),
        positives=int(truth.sum()),
        f1=f1_score(says, truth),
        precision=hits / max(int(says.sum()), 1),
        recall=hits / max(int(truth.sum()), 1),
        auc=float(roc_auc_score(truth, chance)),
        average_precision=float(average_precision_score(truth, chance)),
    )


def on_sodic(head: SuspectHead, folder: Path) -> SuspectScores:
    """The head on 12,000 labelled hazard reports of another city and trade, of which it was shown none.

    Raises:
        UserFault: the file is not there.
    """
    file = folder / "sodic" / "train.csv"
    if not file.is_file():
        raise UserFault(f"No {file}: set GRIDSTREAM_DATA to the folder of the public data sets.")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    chance = head.probability(strings([row["content"] for row in rows])).to_numpy(zero_copy_only=False)
    return measured(chance, np.array([row["label"] == "1" for row in rows]))


def _rounded(scores: SuspectScores) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(scores).items()}

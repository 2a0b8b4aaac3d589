"""Measures the engine on public data sets of real reports, which were not written for this project.

The settings were chosen on training parts only, by cross-validation: `TAIDI` among orders 1..4,
token orders 0..3, leads, C .5..4, cut-offs 1..3 and powers 0..1.25 of the naive Bayes ratios (4
folds of the published training part: accuracy .9402, macro-F1 .9370; without the ratios .9333 and
.9307); `SODIC` among orders 1..4 and C .5..2.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from pipelines.classify.features import Ngrams, counts, strings
from pipelines.classify.overlap import with_overlap
from pipelines.classify.suspect import SuspectHead
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.evaluate import Scores, best_cut, score
from pipelines.classify.training.linear import Examples, Settings, fit, held_out
from pipelines.classify.training.suspect_train import SuspectScores, suspect_scores
from pipelines.classify.training.train import train
from pipelines.errors import UserFault

TAIDI = Settings(
    Ngrams(1, 2, words=2, leads=(8, 20)),
    c=2,
    min_texts=2,
    folds=3,
    strangers=False,
    bayes=1,
    places=0,
)
SODIC = Settings(Ngrams(1, 3), c=1, min_texts=2, folds=5, strangers=False, bayes=0, places=0)
LEVELS = ("level_1", "level_2", "level_3", "level_4")


@dataclass(frozen=True)
class FoldScores:
    """F1 of label 1 (perfunctory or false) over all rows, each answered by a model of the other
    folds; `fold_f1`: of each fold. `text_only_f1`: from the report's text alone, without the
    checklist item.
    """

    rows: int
    positives: int
    f1: float
    fold_f1: tuple[float, ...]
    text_only_f1: float


def taidi(folder: Path, settings: Settings = TAIDI) -> Scores:
    """Citizen messages in 7 classes, trained and measured on the published 9:1 split by row; the
    text is segmented into words.

    Raises:
        UserFault: a file is missing.
    """
    rows = _rows(folder / "taidi" / "taidi_full_segmented.csv")
    parts = _rows(folder / "taidi" / "taidi_split_seed42_9to1.csv")
    training = np.array([row["split"] == "train" for row in parts])
    names = sorted({row["label"] for row in rows})
    labels = np.array([names.index(row["label"]) for row in rows], np.int16)
    texts = strings([row["segmented"] for row in rows])
    reports = Corpus(texts.filter(pa.array(training)), labels[training])
    model = train(reports, settings).model
    answers = model.predict(texts.filter(pa.array(~training)))
    return score(labels[~training], answers.alternatives, answers.confidence, model.threshold)


def sodic(folder: Path, settings: Settings = SODIC, folds: int = 5) -> FoldScores:
    """Hazard reports, perfunctory or not, in folds that keep identical texts together. The cut is
    chosen inside the training folds.

    Raises:
        UserFault: the file is missing.
    """
    rows, truth = _sodic_rows(folder)
    bare = [row["content"] for row in rows]
    groups = np.unique([text.strip() for text in bare], return_inverse=True)[1]
    marked = [with_overlap(row["content"], [row[level] for level in LEVELS]) for row in rows]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    split = list(splitter.split(truth, truth, groups))
    answers = _answers(marked, truth, groups, settings, split)
    text_only = _answers(bare, truth, groups, settings, split)
    return FoldScores(
        rows=len(rows),
        positives=int(truth.sum()),
        f1=float(f1_score(truth, answers)),
        fold_f1=tuple(round(float(f1_score(truth[test], answers[test])), 4) for _, test in split),
        text_only_f1=float(f1_score(truth, text_only)),
    )


def suspect_on_sodic(head: SuspectHead, folder: Path) -> SuspectScores:
    """The head on 12,000 labelled hazard reports of another city and trade. It was trained on none
    of them.

    Raises:
        UserFault: the file is missing.
    """
    rows, truth = _sodic_rows(folder)
    chance = head.probability(strings([row["content"] for row in rows]))
    return suspect_scores(chance.to_numpy(zero_copy_only=False), truth)


def _answers(
    texts: list[str],
    truth: NDArray[np.bool_],
    groups: NDArray[np.int64],
    settings: Settings,
    split: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[np.bool_]:
    """Whether each text (rows,) is suspect, by a model of the other folds."""
    raw, _ = counts(strings(texts), settings.ngrams)
    labels = truth.astype(np.int16)
    answers = np.zeros(len(truth), bool)
    for seen, test in split:
        examples = Examples.of(raw[seen], labels[seen])
        inner = held_out(examples, settings, len(seen), groups[seen])
        cut = best_cut(inner[:, 1], truth[seen])
        answers[test] = fit(examples, settings).scores(raw[test])[:, 1] >= cut
    return answers


def _sodic_rows(folder: Path) -> tuple[list[dict[str, str]], NDArray[np.bool_]]:
    """The rows, and which of them are perfunctory or false."""
    rows = _rows(folder / "sodic" / "train.csv")
    return rows, np.array([row["label"] == "1" for row in rows])


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise UserFault(
            f"没有文件 {file}：请把 GRIDSTREAM_DATA 设为公开数据集的目录"
            f" No file {file}: set GRIDSTREAM_DATA to the folder of the public data sets."
        )
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))

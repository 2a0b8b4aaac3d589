"""Retraining from corrections: promoted when better, not when worse, and comparable the next time."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipelines.classify.features import strings
from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model, save_model
from pipelines.classify.retrain import Demands, RetrainResult, retrain
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.holdout import Data, held
from tests.support.corrections import PLACES, WORDS

TEXTS = [
    f"{place}的{word}又开张了，闹得慌" for place, word in product(PLACES, WORDS)
]  # a word the corpus has never seen
DEMANDS = Demands(corrections=10, gain=0.25)  # of some 20 corrections, chance gets two or three right
LENIENT = Demands(corrections=10, gain=0.25, holdout=-0.03)  # this holdout has 180 texts: three of them are .017


def said(codes: list[int]) -> Corpus:
    return Corpus(strings(TEXTS), np.array(codes, np.int16))


@pytest.fixture(scope="module")
def better(part: Data, champion: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[RetrainResult, Path]:
    """People agree that this word means 610."""
    current = tmp_path_factory.mktemp("models") / "current.npz"
    save_model(champion, current)
    return retrain(said([610] * len(TEXTS)), current, LENIENT, part), current


def test_a_better_one_is_promoted(better: tuple[RetrainResult, Path], champion: Model) -> None:
    outcome, current = better
    assert outcome.promoted, outcome.message
    assert "promoted" in outcome.message
    assert load_model(current).version == outcome.version != champion.version
    assert current.with_name(f"{champion.version}.npz").is_file()
    assert outcome.comparison is not None
    assert outcome.comparison.challenger.fairness == "left out"
    assert outcome.comparison.champion.fairness == "twin"
    assert (outcome.comparison.gain_corrections or 0) >= DEMANDS.gain
    assert (outcome.measured, outcome.learnt) == (sum(map(held, TEXTS)), len(TEXTS) - sum(map(held, TEXTS)))


def test_its_card_is_written(better: tuple[RetrainResult, Path]) -> None:
    card = better[0].card
    assert card is not None
    text = card.read_text("utf-8")
    assert str(better[0].version) in text
    assert "left out of training" in text


def test_the_next_challenger_meets_its_twin(better: tuple[RetrainResult, Path], part: Data) -> None:
    """The promoted model knows the holdout by heart; only its twin can be compared fairly."""
    outcome, current = better
    again = retrain(said([610] * len(TEXTS)), current, LENIENT, part)
    assert not again.promoted
    assert again.comparison is not None
    assert again.comparison.champion.fairness == "left out"
    assert (again.comparison.gain, again.comparison.gain_corrections) == (0, 0)
    assert load_model(current).version == outcome.version


def test_a_worse_one_is_not_promoted(part: Data, champion: Model, tmp_path: Path) -> None:
    """People contradict each other: there is nothing to learn."""
    current = tmp_path / "current.npz"
    save_model(champion, current)
    codes = np.random.default_rng(3).choice(np.unique(part.reports.labels), len(TEXTS))
    outcome = retrain(said(codes.tolist()), current, DEMANDS, part)
    assert not outcome.promoted
    assert "not promoted" in outcome.message
    assert load_model(current).version == champion.version


def test_a_loss_on_the_holdout_is_no_gain(part: Data, champion: Model, tmp_path: Path) -> None:
    current = tmp_path / "current.npz"
    save_model(champion, current)
    outcome = retrain(said([610] * len(TEXTS)), current, Demands(corrections=10, holdout=0.5), part)
    assert (outcome.promoted, "holdout" in outcome.message) == (False, True)


def test_too_few_corrections_train_nothing(part: Data, tmp_path: Path) -> None:
    few = Corpus(strings(TEXTS[:9]), np.array([610] * 9, np.int16))
    known = Corpus(part.reports.texts, part.reports.labels)
    for corrected in (few, known):  # what the corpus has already teaches nothing
        outcome = retrain(corrected, tmp_path / "current.npz", DEMANDS, part)
        assert (outcome.promoted, outcome.version) == (False, None)
    assert not (tmp_path / "current.npz").exists()

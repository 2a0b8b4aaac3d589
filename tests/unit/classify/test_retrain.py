"""Retraining from corrections: a better challenger is promoted, a worse one is not, and the next
challenger can be compared with it.
"""

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

# Words that the corpus does not contain.
TEXTS = [f"{place}的{word}又开张了，闹得慌" for place, word in product(PLACES, WORDS)]
# About 20 of these are held out; guessing gets two or three of them right.
DEMANDS = Demands(corrections=10, gain=0.25)
# The holdout of `part` has 180 texts: three of them are .017.
LENIENT = Demands(corrections=10, gain=0.25, holdout=-0.03)


def corrections(codes: list[int]) -> Corpus:
    """TEXTS with the types that people set."""
    return Corpus(strings(TEXTS), np.array(codes, np.int16))


@pytest.fixture(scope="module")
def better(part: Data, champion: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[RetrainResult, Path]:
    """Retrained when people agree that this word means 610; and the current model's file."""
    current = tmp_path_factory.mktemp("models") / "current.npz"
    save_model(champion, current)
    return retrain(corrections([610] * len(TEXTS)), current, LENIENT, part), current


def test_a_better_challenger_is_promoted(better: tuple[RetrainResult, Path], champion: Model) -> None:
    result, current = better
    assert result.promoted, result.message
    assert "promoted" in result.message
    assert load_model(current).version == result.version != champion.version
    assert current.with_name(f"{champion.version}.npz").is_file()
    assert result.comparison is not None
    assert result.comparison.challenger.fairness == "left out"
    assert result.comparison.champion.fairness == "twin"
    assert (result.comparison.gain_corrections or 0) >= DEMANDS.gain
    assert result.measured == sum(map(held, TEXTS))
    assert result.learnt == len(TEXTS) - result.measured


def test_its_card_is_written(better: tuple[RetrainResult, Path]) -> None:
    result, _ = better
    assert result.card is not None
    text = result.card.read_text("utf-8")
    assert str(result.version) in text
    assert "left out of training" in text


def test_the_next_challenger_is_compared_with_the_twin(better: tuple[RetrainResult, Path], part: Data) -> None:
    """The promoted model was trained on the holdout, so only its twin can be compared fairly."""
    result, current = better
    again = retrain(corrections([610] * len(TEXTS)), current, LENIENT, part)
    assert not again.promoted
    assert again.comparison is not None
    assert again.comparison.champion.fairness == "left out"
    assert (again.comparison.gain, again.comparison.gain_corrections) == (0, 0)
    assert load_model(current).version == result.version


def test_a_worse_challenger_is_not_promoted(part: Data, champion: Model, tmp_path: Path) -> None:
    """People contradict each other, so the corrections teach nothing."""
    current = tmp_path / "current.npz"
    save_model(champion, current)
    codes = np.random.default_rng(3).choice(np.unique(part.reports.labels), len(TEXTS))
    result = retrain(corrections(codes.tolist()), current, DEMANDS, part)
    assert not result.promoted
    assert "not promoted" in result.message
    assert load_model(current).version == champion.version


def test_too_small_a_gain_on_the_holdout_promotes_nothing(part: Data, champion: Model, tmp_path: Path) -> None:
    current = tmp_path / "current.npz"
    save_model(champion, current)
    demands = Demands(corrections=10, holdout=0.5)
    result = retrain(corrections([610] * len(TEXTS)), current, demands, part)
    assert (result.promoted, "holdout" in result.message) == (False, True)


def test_too_few_corrections_train_nothing(part: Data, tmp_path: Path) -> None:
    few = Corpus(strings(TEXTS[:9]), np.array([610] * 9, np.int16))
    known = Corpus(part.reports.texts, part.reports.labels)
    for corrected in (few, known):  # corrections with texts of the corpus do not count
        result = retrain(corrected, tmp_path / "current.npz", DEMANDS, part)
        assert (result.promoted, result.version) == (False, None)
    assert not (tmp_path / "current.npz").exists()

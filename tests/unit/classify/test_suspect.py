"""The suspect head: what it flags, and that its figures hold for text of other writers."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.classify.features import strings
from pipelines.classify.model import Model
from pipelines.classify.modelfile import save_model
from pipelines.classify.suspect import LIKELY, SHIPPED, SuspectHead, load_head, suspect
from pipelines.classify.training.corpus import corpus
from pipelines.classify.training.suspect_train import (
    PRIOR,
    suspect_corpus,
    suspect_scores,
    train_head,
)
from pipelines.errors import UserFault

# Texts that a grid worker might write; none is in the corpus.
PERFUNCTORY = ["已办理完毕", "巡查情况正常，无异常", "2222", "测试一条", "正常无异常情况", "处理好了已整改"]
SOUND = ["井盖碎了一块", "巡查发现河边护栏断了", "路灯坏了，已报修", "三楼漏水", "老板不发工资", "楼道里停了两辆电瓶车"]


@pytest.fixture(scope="module")
def head() -> SuspectHead:
    return load_head()


def test_there_are_at_least_250_of_each_and_none_is_both() -> None:
    reports = suspect_corpus()
    texts = set(reports.texts.to_pylist())
    assert min(np.bincount(reports.labels).tolist()) >= 250
    assert len(texts) == len(reports.labels)
    assert not texts & {*PERFUNCTORY, *SOUND}


def test_it_flags_reports_that_say_nothing_and_not_terse_ones(head: SuspectHead) -> None:
    flagged = head.probability(strings([*PERFUNCTORY, *SOUND])).to_numpy() >= LIKELY
    assert flagged.tolist() == [True] * len(PERFUNCTORY) + [False] * len(SOUND)


def test_text_of_other_writers_is_rarely_flagged(head: SuspectHead) -> None:
    """The corpus of event types describes events that a person could see, except type 999."""
    texts = corpus()
    chance = head.probability(texts.texts).to_numpy()[texts.labels != 999]
    assert (chance >= LIKELY).mean() < 0.02
    assert chance.mean() < PRIOR


def test_texts_of_which_nothing_is_known(head: SuspectHead) -> None:
    texts = pa.chunked_array([pa.array(["", None, "……", "😀"]), pa.array(["ขยะ", "\u200f"])])
    assert head.probability(texts).to_pylist() == [1, 1, 1, 1, 0, 1]
    assert head.probability(pa.array([], pa.string())).to_pylist() == []


def test_training_on_the_corpus_gives_the_shipped_head() -> None:
    assert train_head(suspect_corpus()).model.version == load_head(SHIPPED).model.version


def test_probabilities_are_between_0_and_1_and_the_same_twice() -> None:
    texts = corpus().texts.slice(0, 300)
    once = suspect(texts)
    assert once.type == pa.float32()
    assert once.equals(suspect(texts))
    assert 0 <= min(once.to_pylist()) <= max(once.to_pylist()) <= 1


def test_a_model_of_event_types_is_refused(small: Model, tmp_path: Path) -> None:
    save_model(small, tmp_path / "m.npz")
    with pytest.raises(UserFault, match="not a suspect model"):
        load_head(tmp_path / "m.npz")
    with pytest.raises(UserFault, match="No suspect model"):
        load_head(tmp_path / "none.npz")


def test_scores_by_hand() -> None:
    truth = np.array([True, False, True, False])
    scores = suspect_scores(np.array([0.9, 0.6, 0.4, 0.1]), truth)
    assert (scores.precision, scores.recall, scores.f1, scores.auc) == (0.5, 0.5, 0.5, 0.75)
    assert scores.average_precision == pytest.approx((1 + 2 / 3) / 2)

"""Training: repeatable, and honest about what it has not seen."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipelines.classify.corpus import Corpus
from pipelines.classify.features import Ngrams, counts, strings
from pipelines.classify.holdout import settings_of
from pipelines.classify.overlap import with_overlap
from pipelines.classify.train import (
    Settings,
    Training,
    fit,
    held_out,
    platt,
    prior_shift,
    quantised,
    softmax,
    temperature,
    train,
    weigh,
)


def test_the_same_texts_give_the_same_model(training: Training, keywords: Corpus) -> None:
    again = train(keywords, Settings(Ngrams(1, 3, words=1, leads=(1,)), folds=3))
    assert again.model.version == training.model.version
    assert again.scores == training.scores


def test_the_model_says_what_it_was_trained_on(training: Training, keywords: Corpus) -> None:
    facts = training.model.facts
    assert facts["corpus"] == keywords.fingerprint
    assert facts["reports"] == len(keywords.labels)
    assert facts["held_out"]["rows"] == len(training.truth)


def test_held_out_scores_do_not_know_their_own_group() -> None:
    """A text whose only neighbour is its copy is right by leakage alone; grouping takes the copy away."""
    words = ["甲乙丙丁", "戊己庚辛", "子丑寅卯", "辰巳午未", "申酉戌亥", "天地玄黄", "宇宙洪荒", "日月盈昃"]
    texts, labels = strings(words * 2), np.array([0, 1] * 8, np.int16)
    raw, _ = counts(texts, Ngrams())
    free = held_out(raw, labels, Settings(folds=8), 16)
    grouped = held_out(raw, labels, Settings(folds=4), 16, np.arange(16) % 8)
    assert (free.argmax(axis=1) == labels).mean() > (grouped.argmax(axis=1) == labels).mean()


def test_unknown_ngrams_count_in_the_length_of_a_text() -> None:
    raw = csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 2, 1]], np.float32))
    columns, idf = np.array([0, 1]), np.array([2.0, 3.0])
    known = np.array([2, 3]) / np.sqrt(13)
    np.testing.assert_allclose(weigh(raw, columns, idf, strangers=False).toarray(), [known, known])
    counted = weigh(raw, columns, idf, strangers=True).toarray()
    np.testing.assert_allclose(counted, [known, np.array([2, 3]) / np.sqrt(13 + 3 * 3.0**2)])


def test_settings_of_before_there_were_strangers_pass_over_them(training: Training) -> None:
    stated = dict(training.model.facts["settings"])
    assert settings_of({"settings": stated}).strangers
    del stated["strangers"], stated["other"]
    old = settings_of({"settings": stated})
    assert (old.strangers, old.other) == (False, 0.0)


def test_the_prior_of_other_moves_no_other_class() -> None:
    labels = np.array([401] * 6 + [405] * 2 + [999] * 2, np.int16)
    np.testing.assert_allclose(prior_shift(labels, 0.02), [0, 0, np.log(0.1)])
    assert prior_shift(labels, 0).tolist() == prior_shift(labels, 0.5).tolist() == [0, 0, 0]
    assert prior_shift(labels[:8], 0.02).tolist() == [0, 0]


def test_two_classes_have_two_columns_of_scores() -> None:
    texts, labels = strings(["好", "坏", "好的", "坏的"]), np.array([0, 1, 0, 1], np.int16)
    raw, _ = counts(texts, Ngrams())
    scores = fit(raw, labels, Settings()).scores(raw)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1])
    assert scores.argmax(axis=1).tolist() == [0, 1, 0, 1]


def test_a_model_of_two_classes_has_two_alternatives_and_an_empty_third() -> None:
    texts = strings(["路灯坏", "垃圾多", "路灯不亮", "垃圾没收", "路灯灭了", "垃圾臭"])
    model = train(Corpus(texts, np.array([405, 401] * 3, np.int16)), Settings(folds=3)).model
    found = model.predict(strings(["路灯"]))
    assert found.codes.tolist() == [405]
    assert found.alternative_confidence[0, 2] == 0


def test_temperature_recovers_the_one_that_made_the_labels() -> None:
    generator = np.random.default_rng(5)
    scores = generator.normal(size=(20_000, 4))
    labels = np.array([generator.choice(4, p=row) for row in softmax(scores / 0.5)])
    assert temperature(scores, labels) == pytest.approx(0.5, rel=0.05)


def test_platt_recovers_an_overconfident_curve() -> None:
    generator = np.random.default_rng(6)
    chances = generator.uniform(0.05, 0.95, 40_000)
    real = 1 / (1 + np.exp(-(0.5 * np.log(chances / (1 - chances)) + 0.3)))
    slope, offset = platt(chances, generator.uniform(size=len(real)) < real)
    assert (slope, offset) == (pytest.approx(0.5, abs=0.05), pytest.approx(0.3, abs=0.05))


def test_quantising_loses_less_than_half_a_step() -> None:
    weights = np.random.default_rng(7).normal(size=(3, 50))
    small, scales = quantised(weights)
    assert (np.abs(small.T * scales[:, None] - weights) <= scales[:, None] / 2 + 1e-9).all()


def test_a_copied_item_is_marked_differently_from_an_observation() -> None:
    item = "消防通道是否畅通"
    copied, seen, nothing = (with_overlap(text, [item])[-3:] for text in (item, "二楼堆了纸箱", ""))
    assert copied[:2] != seen[:2]
    assert seen[:2] == nothing[:2] == "\ue000\ue00a"
    assert copied[:2] == "\ue009\ue013"

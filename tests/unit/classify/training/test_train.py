"""Training: it is repeatable, and the model's facts state what it was trained on."""

import numpy as np

from pipelines.classify.features import Ngrams, strings
from pipelines.classify.overlap import with_overlap
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.holdout import settings_of
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.place_names import placed
from pipelines.classify.training.train import Training, learnt_from, quantised, train


def test_the_same_texts_give_the_same_model(training: Training, keywords: Corpus) -> None:
    again = train(keywords, Settings(Ngrams(1, 3, words=1, leads=(1,)), folds=3))
    assert again.model.version == training.model.version
    assert again.scores == training.scores


def test_the_model_states_what_it_was_trained_on(training: Training, keywords: Corpus) -> None:
    facts = training.model.facts
    assert facts["corpus"] == keywords.fingerprint
    assert facts["reports"] == len(keywords.labels)
    assert facts["held_out"]["rows"] == len(training.truth)


def test_settings_of_older_files_mean_what_they_meant(training: Training) -> None:
    stated = dict(training.model.facts["settings"])
    assert settings_of({"settings": stated}).strangers
    for name in ("strangers", "other", "bayes", "places"):
        del stated[name]
    old = settings_of({"settings": stated})
    assert (old.strangers, old.other, old.bayes, old.places) == (False, 0.0, 0.0, 0.0)


def test_a_model_of_two_classes_has_two_alternatives_and_an_empty_third() -> None:
    texts = strings(["路灯坏", "垃圾多", "路灯不亮", "垃圾没收", "路灯灭了", "垃圾臭"])
    model = train(Corpus(texts, np.array([405, 401] * 3, np.int16)), Settings(folds=3)).model
    prediction = model.predict(strings(["路灯"]))
    assert prediction.codes.tolist() == [405]
    assert prediction.alternative_confidence[0, 2] == 0


def test_quantising_loses_less_than_half_a_step() -> None:
    weights = np.random.default_rng(7).normal(size=(3, 50))
    small, scales = quantised(weights)
    assert (np.abs(small.T * scales[:, None] - weights) <= scales[:, None] / 2 + 1e-9).all()


def test_a_copied_item_has_other_symbols_than_an_observation() -> None:
    item = "消防通道是否畅通"
    copied, observed, empty = (with_overlap(text, [item])[-3:] for text in (item, "二楼堆了纸箱", ""))
    assert copied[:2] != observed[:2]
    assert observed[:2] == empty[:2] == "\ue000\ue00a"
    assert copied[:2] == "\ue009\ue013"


def test_a_short_report_is_trained_on_again_with_a_place_before_it() -> None:
    reports = Corpus(strings(["路灯不亮", "垃" * 60]), np.array([405, 401], np.int16))
    known = Corpus(strings(["公厕"]), np.array([401], np.int16))
    examples, _ = learnt_from(reports, known, Settings(places=0.25))
    assert examples.labels.tolist() == [405, 401, 401, 405]
    assert examples.weights.tolist() == [1, 1, 1, 0.25]
    assert examples.source.tolist() == [0, 1, -1, 0]
    assert learnt_from(reports, known, Settings(places=0))[0].source.tolist() == [0, 1, -1]


def test_the_place_is_the_same_each_time_and_differs_between_texts() -> None:
    texts = [f"{number}号路灯不亮" for number in range(50)]
    assert [placed(text) for text in texts] == [placed(text) for text in texts]
    assert all(placed(text).endswith(text) and placed(text) != text for text in texts)
    assert len({placed(text).removesuffix(text) for text in texts}) > 40

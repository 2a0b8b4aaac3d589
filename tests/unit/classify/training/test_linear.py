"""The linear model: the weights of n-grams, and what held-out scores may depend on."""

import numpy as np
from scipy.sparse import csr_matrix

from pipelines.classify.features import Ngrams, counts, strings
from pipelines.classify.training.linear import Examples, Settings, fit, held_out, ratios, weigh


def test_held_out_scores_do_not_depend_on_their_own_group() -> None:
    """A text whose only neighbour is its copy is answered right only by leakage; groups prevent
    it.
    """
    words = ["甲乙丙丁", "戊己庚辛", "子丑寅卯", "辰巳午未", "申酉戌亥", "天地玄黄", "宇宙洪荒", "日月盈昃"]
    texts, labels = strings(words * 2), np.array([0, 1] * 8, np.int16)
    raw, _ = counts(texts, Ngrams())
    free = held_out(Examples.of(raw, labels), Settings(folds=8), 16)
    grouped = held_out(Examples.of(raw, labels), Settings(folds=4), 16, np.arange(16) % 8)
    assert (free.argmax(axis=1) == labels).mean() > (grouped.argmax(axis=1) == labels).mean()


def test_held_out_scores_do_not_depend_on_copies_of_their_text() -> None:
    """As above, with copies after the reports that name their source."""
    words = ["甲乙丙丁", "戊己庚辛", "子丑寅卯", "辰巳午未", "申酉戌亥", "天地玄黄", "宇宙洪荒", "日月盈昃"]
    raw, _ = counts(strings(words * 2), Ngrams())
    labels = np.array([0, 1] * 8, np.int16)
    free = Examples(raw, labels, np.ones(16), np.concatenate([np.arange(8), np.full(8, -1)]))
    copies = Examples(raw, labels, np.ones(16), np.concatenate([np.arange(8), np.arange(8)]))
    settings = Settings(folds=4)
    assert (held_out(free, settings, 8).argmax(axis=1) == labels[:8]).all()
    assert not (held_out(copies, settings, 8).argmax(axis=1) == labels[:8]).all()


def test_unknown_ngrams_count_in_the_length_of_a_text() -> None:
    raw = csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 2, 1]], np.float32))
    columns, idf = np.array([0, 1]), np.array([2.0, 3.0])
    known = np.array([2, 3]) / np.sqrt(13)
    without = weigh(raw, columns, idf, strangers=False).toarray()
    np.testing.assert_allclose(without, [known, known])
    counted = weigh(raw, columns, idf, strangers=True).toarray()
    np.testing.assert_allclose(counted, [known, np.array([2, 3]) / np.sqrt(13 + 3 * 3.0**2)])


def test_two_classes_have_two_columns_of_scores() -> None:
    texts, labels = strings(["好", "坏", "好的", "坏的"]), np.array([0, 1, 0, 1], np.int16)
    raw, _ = counts(texts, Ngrams())
    scores = fit(Examples.of(raw, labels), Settings()).scores(raw)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1])
    assert scores.argmax(axis=1).tolist() == [0, 1, 0, 1]


def test_the_ratio_of_an_ngram_of_a_class_is_larger_than_that_of_an_ngram_of_all() -> None:
    weighed = csr_matrix(np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]], np.float64))
    ratio = ratios(weighed, np.array([True, True, False, False]))
    assert ratio[0] == ratio[1] > 10 * ratio[2]
    np.testing.assert_allclose(ratio.mean(), 1)


def test_without_bayes_all_ngrams_count_alike() -> None:
    raw, _ = counts(strings(["路灯坏", "垃圾多", "路灯不亮", "垃圾没收"]), Ngrams())
    examples = Examples.of(raw, np.array([405, 401, 405, 401], np.int16))
    plain, scaled = (fit(examples, Settings(bayes=power)).coefficients for power in (0.0, 1.0))
    plain, scaled = np.abs(plain), np.abs(scaled)
    strong = plain > plain.mean()
    assert scaled[strong].sum() / scaled.sum() > plain[strong].sum() / plain.sum()

"""Predictions: the kernel against the same sums in numpy, and unusual texts."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.classify import kernel
from pipelines.classify.explain import explain
from pipelines.classify.features import counts, strings
from pipelines.classify.model import GAIN_UNIT, OTHER, Model, Prediction, calibrated, gains
from pipelines.classify.training.corpus import Corpus, corpus
from pipelines.classify.training.train import Training

AWKWARD = [
    "",
    None,
    "   ",
    "。" * 50,
    "\u200f\u200e\ufeff",
    "😀" * 10,
    "垃" * 4000,
    "小区门口垃圾没人清运，" * 360,
    "the lift is broken",
    "שלום عربي",
    "１２３４５",
    "\x00\x01",
    "垃圾\ufffd清运",
]


def _by_numpy(model: Model, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The best code and its probability before Platt scaling, computed from counts and weights.
    Shares no code with the kernel's sums.
    """
    matrix, hashes = counts(texts, model.ngrams)
    rows = model.rows_of(hashes)
    strangers = matrix[:, np.flatnonzero(rows < 0)].sum(axis=1).A1.astype(np.int64)
    matrix = matrix[:, np.flatnonzero(rows >= 0)].astype(int)
    weights = model.weights[rows[rows >= 0]].astype(np.int64)
    frequency, square = matrix.copy(), matrix.copy()
    frequency.data = gains()[0].cumsum()[matrix.data - 1].astype(np.int64)
    square.data = gains()[1].cumsum()[matrix.data - 1].astype(np.int64)
    squares = square @ weights[:, -1] + strangers * model.stranger * GAIN_UNIT
    length = np.sqrt(squares * model.scales[-1] / GAIN_UNIT)
    scores = (frequency @ weights[:, :-1]) * model.scales[:-1] / GAIN_UNIT / length[:, None] + model.bias
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / model.temperature)
    chances = powers / powers.sum(axis=1, keepdims=True)
    return model.codes[chances.argmax(axis=1)], chances.max(axis=1)


@pytest.mark.parametrize("name", ["small", "shipped"])
def test_predict_equals_the_sums_of_numpy(name: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(name)
    unknown = strings(["垃圾桶满了 Ωξ饕餮魑魅", "鞈敶停电"])
    texts = pa.concat_arrays([corpus().texts.slice(0, 500), unknown])
    codes, chances = _by_numpy(model, texts)
    predicted = model.predict(texts)
    assert (predicted.codes == codes).mean() > 0.999  # float32 in the kernel, float64 here
    expected = calibrated(np.column_stack([chances, chances * 0, chances * 0]), model.platt)[:, 0]
    np.testing.assert_allclose(predicted.confidence, expected, atol=2e-3)


def test_every_hash_of_the_model_is_found_by_the_kernel(shipped: Model) -> None:
    """A regression: half of them, those with the top bit set, were not found."""
    known = np.empty(len(shipped.hashes), np.int32)
    count = kernel.find(shipped.hashes, len(shipped.hashes), shipped._table, known)
    assert count == len(shipped.hashes)
    assert (known == np.arange(len(known))).all()
    drawn = np.random.default_rng(1).integers(0, 2**32, 5000).astype(np.uint32)
    unknown = np.setdiff1d(drawn, shipped.hashes)
    assert kernel.find(unknown, len(unknown), shipped._table, known) == 0


def _same(first: Prediction, second: Prediction) -> bool:
    names = ("codes", "confidence", "alternatives", "alternative_confidence")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def test_awkward_texts_get_the_same_answer_twice_and_alone(shipped: Model) -> None:
    together = shipped.predict(pa.array(AWKWARD))
    assert _same(together, shipped.predict(pa.array(AWKWARD)))
    for row, text in enumerate(AWKWARD):
        alone = shipped.predict(pa.array([text], pa.string()))
        assert _same(alone, together.where(np.arange(len(AWKWARD)) == row))
    assert np.isfinite(together.alternative_confidence).all()
    assert (together.confidence >= 0).all()
    assert (together.confidence <= 1).all()


@pytest.mark.parametrize("text", ["", None, "  ", "。！", "\u200f\ufeff", "😀"])
def test_a_text_without_a_known_ngram_is_other_with_confidence_zero(shipped: Model, text: str | None) -> None:
    predicted = shipped.predict(pa.array([text], pa.string()))
    assert predicted.alternatives.tolist() == [[OTHER] * 3]
    assert predicted.alternative_confidence.tolist() == [[0.0] * 3]


def test_no_rows_and_no_chunks(shipped: Model) -> None:
    for empty in (pa.array([], pa.string()), pa.chunked_array([], pa.string())):
        predicted = shipped.predict(empty)
        assert predicted.codes.shape == (0,)
        assert predicted.alternatives.shape == (0, 3)


def test_a_repeated_text_has_the_same_type(shipped: Model) -> None:
    predicted = shipped.predict(strings(["小区门口垃圾没人清运。", "小区门口垃圾没人清运。" * 300]))
    assert predicted.codes.tolist() == [401, 401]


def test_alternatives_descend_and_differ(shipped: Model) -> None:
    predicted = shipped.predict(corpus().texts)
    chances = predicted.alternative_confidence
    assert (np.diff(chances, axis=1) <= 0).all()
    assert (chances.sum(axis=1) <= 1 + 1e-5).all()
    assert all(len(set(row)) == 3 for row in predicted.alternatives[:500].tolist())
    assert (predicted.codes == predicted.alternatives[:, 0]).all()


def test_it_learned_its_own_training_text(training: Training, keywords: Corpus) -> None:
    assert (training.model.predict(keywords.texts).codes == keywords.labels).mean() > 0.95


def test_calibration_keeps_order_and_the_sum() -> None:
    chances = np.array([[0.9, 0.06, 0.04], [0.4, 0.39, 0.2], [0.0, 0.0, 0.0]])
    halved = calibrated(chances, (0.5, 0.0))  # half the log-odds
    assert halved[0, 0] == pytest.approx(1 / (1 + np.exp(-0.5 * np.log(9))), rel=1e-6)
    assert halved[0].sum() == pytest.approx(1, rel=1e-5)
    assert (np.diff(halved, axis=1) <= 0).all()
    assert halved[2].tolist() == [0, 0, 0]
    np.testing.assert_allclose(calibrated(chances, (1.0, 0.0)), chances, atol=1e-6)


def test_an_explanation_adds_up_to_the_score(small: Model) -> None:
    text = "物业收费 物业收费 停车位 饕餮"
    matrix, hashes = counts(strings([text]), small.ngrams)
    column = int(np.searchsorted(small.codes, small.predict(strings([text])).codes[0]))
    known = small.rows_of(hashes)
    strangers = int(matrix[:, np.flatnonzero(known < 0)].sum())
    kept = matrix[:, np.flatnonzero(known >= 0)].astype(int)
    frequency, square = gains()[0].cumsum()[kept.data - 1], gains()[1].cumsum()[kept.data - 1]
    weights = small.weights[known[known >= 0][kept.indices]].astype(int)
    squares = (weights[:, -1] * square).sum() + strangers * small.stranger * GAIN_UNIT
    length = np.sqrt(squares * small.scales[-1] / GAIN_UNIT)
    unit = small.scales[column] / GAIN_UNIT / small.temperature / length
    parts = weights[:, column] * frequency * unit
    explained = {weighed.ngram: weighed.weight for weighed in explain(small, text, most=1000)}
    assert sum(explained.values()) == pytest.approx(parts[parts > 0].sum(), rel=1e-3)
    assert "物业" in explained
    assert {ngram[0] for ngram in explained} >= {"^", "|"}


def _noise(seed: int, rows: int) -> list[str]:
    """Strings of 5 to 59 characters drawn from all common ideographs."""
    generator = np.random.default_rng(seed)
    drawn = (generator.integers(0x4E00, 0x9FA5, generator.integers(5, 60)) for _ in range(rows))
    return ["".join(map(chr, codes)) for codes in drawn]


def test_noise_is_rarely_decided_as_a_real_type(shipped: Model) -> None:
    predicted = shipped.predict(strings(_noise(11, 1000)))
    decided = (predicted.codes != OTHER) & (predicted.confidence >= shipped.threshold)
    assert decided.mean() < 0.02


OFF_TOPIC = [
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor",
    "The quick brown fox jumps over the lazy dog",
    "明日阴转小雨，气温十五到二十度",
    "春眠不觉晓，处处闻啼鸟",
    "人生若只如初见，何事秋风悲画扇",
    "祝大家中秋快乐阖家团圆",
    "番茄炒蛋怎么做",
    "诚招代理，月入过万",
    "加薇信看精彩视频",
    "你叫什么名字",
    "qwpoeiru zxmcnv 8848",
]


@pytest.mark.parametrize("text", OFF_TOPIC)
def test_text_off_topic_is_not_decided_as_a_real_type(shipped: Model, text: str) -> None:
    predicted = shipped.predict(strings([text]))
    assert predicted.codes[0] == OTHER or predicted.confidence[0] < shipped.threshold


@pytest.mark.parametrize("text", ["", "。", "😀\u200f"])
def test_a_text_without_a_known_ngram_has_no_explanation(small: Model, text: str) -> None:
    assert explain(small, text) == ()

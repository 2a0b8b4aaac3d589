"""The model card: its figures against what was measured, its picture against its matrix."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pipelines.classify.features import Ngrams
from pipelines.classify.measure.card import Evidence, card, evidence, write_card
from pipelines.classify.measure.confusion_svg import heat_map, matrix
from pipelines.classify.model import Model
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.evaluate import by_threshold
from pipelines.classify.training.holdout import Data
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.train import Training, train

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def data(keywords: Corpus) -> Data:
    return Data(keywords, keywords)


@pytest.fixture(scope="module")
def trained(data: Data) -> Training:
    return train(data.reports, Settings(Ngrams(1, 2), folds=3), data.keywords)


def test_evidence_repeats_the_training(trained: Training, data: Data) -> None:
    found = evidence(trained.model, data)
    assert "3 folds" in found.how
    assert found.answers.tolist() == trained.answers.tolist()
    assert found.scores(trained.model.threshold) == trained.scores


def test_evidence_of_a_foreign_model_says_so(small: Model, data: Data) -> None:
    assert "may have seen" in evidence(small, data).how


def test_the_card_says_what_was_measured(trained: Training, data: Data, tmp_path: Path) -> None:
    paths = write_card(trained.model, data, tmp_path / "card")
    assert [path.name for path in paths] == ["card.md", "card.html", "confusion.svg"]
    markdown, html, picture = (path.read_text("utf-8") for path in paths)
    for text in (markdown, html):
        assert trained.model.version in text
        assert trained.model.facts["corpus"] in text
        assert f"{trained.scores.accuracy * 100:.1f} %" in text
        assert "局限 Limits" in text
    assert picture in html
    assert all(len(set(row)) > 1 for row in re.findall(r"^\| .* \|$", markdown, re.M))


def test_figures_of_a_type() -> None:
    truth = np.array([101, 101, 101, 102], np.int16)
    answers = np.array([[101, 102, 103], [101, 102, 103], [102, 101, 103], [102, 101, 103]], np.int16)
    seen = Evidence(truth, answers, np.array([0.95, 0.95, 0.55, 0.55], np.float32), "here")
    sections = {section.title.split()[-1]: section for section in card(_any_model(), seen)}
    neighbours, property_ = sections["Types"].rows
    assert neighbours[1:] == (3, "100.0 %", "66.7 %", "80.0 %")
    assert property_[1:] == (1, "50.0 %", "100.0 %", "66.7 %")
    assert sections["Calibration"].rows == (("0.5-0.6", 2, "55.0 %", "50.0 %"), ("0.9-1.0", 2, "95.0 %", "100.0 %"))
    assert [row[2] for row in sections["confusions"].rows] == [1]


def _any_model() -> Model:
    from pipelines.classify.modelfile import load_model

    return load_model()


def test_the_picture_shows_the_matrix() -> None:
    codes, counted = matrix(np.array([101, 101, 102], np.int16), np.array([101, 102, 102], np.int16))
    assert (codes, counted.tolist()) == ([101, 102], [[1, 1], [0, 1]])
    root = ElementTree.fromstring(heat_map(["101 甲 <&", "102 乙"], counted))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles == ["101 甲 <& → 101 甲 <&: 1", "101 甲 <& → 102 乙: 1", "102 乙 → 102 乙: 1"]
    fills = [cell.get("fill") for cell in root.iter(f"{SVG}rect") if cell.find(f"{SVG}title") is not None]
    assert fills[2] == "rgb(31,119,80)"  # every 102 was right: the full shade
    assert len(set(fills)) == 3


def test_counts_worth_reading_are_written_into_their_cells() -> None:
    drawn = heat_map(["101 甲", "102 乙"], np.array([[12, 4], [7, 0]], np.int64))
    texts = [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert [text for text in texts if text in ("12", "4", "7")] == ["12", "7"]


def test_thresholds_tell_what_is_left_to_people() -> None:
    truth = np.array([101, 101, 101, 102], np.int16)
    answers = np.array([[101, 102, 103], [101, 102, 103], [102, 101, 103], [102, 101, 103]], np.int16)
    rows = by_threshold(truth, answers, np.array([0.95, 0.7, 0.55, 0.35], np.float32), 0.7)
    assert [at.threshold for at in rows] == [0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [at.left for at in rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (rows[0].coverage, rows[0].accuracy, rows[3].coverage) == (1.0, 0.75, 0.75)
    assert rows[3].accuracy == pytest.approx(2 / 3)

"""The model card: its figures against the measured ones, its picture against its matrix."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pipelines.classify.features import Ngrams
from pipelines.classify.measure.card import card, type_scores, write_card
from pipelines.classify.measure.confusion_svg import draw, heat_map
from pipelines.classify.measure.evidence import Evidence, evidence
from pipelines.classify.model import Model
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.evaluate import by_threshold
from pipelines.classify.training.holdout import Data
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.train import Training, train

SVG = "{http://www.w3.org/2000/svg}"
ANSWERS = np.array([[101, 102, 103], [101, 102, 103], [102, 101, 103], [102, 101, 103]], np.int16)


@pytest.fixture(scope="module")
def data(keywords: Corpus) -> Data:
    return Data(keywords, keywords)


@pytest.fixture(scope="module")
def trained(data: Data) -> Training:
    return train(data.reports, Settings(Ngrams(1, 2), folds=3), data.keywords)


def test_evidence_repeats_the_training(trained: Training, data: Data) -> None:
    repeated = evidence(trained.model, data)
    assert "3 folds" in repeated.how
    assert repeated.answers.tolist() == trained.answers.tolist()
    assert repeated.scores(trained.model.threshold) == trained.scores


def test_evidence_of_a_model_of_other_data_says_so(small: Model, data: Data) -> None:
    assert "may have seen" in evidence(small, data).how


def test_the_card_states_what_was_measured(trained: Training, data: Data, tmp_path: Path) -> None:
    paths = write_card(trained.model, tmp_path / "card", evidence(trained.model, data))
    assert [path.name for path in paths] == ["card.md", "card.html", "confusion.svg"]
    markdown, html, picture = (path.read_text("utf-8") for path in paths)
    for text in (markdown, html):
        assert trained.model.version in text
        assert trained.model.facts["corpus"] in text
        assert f"{trained.scores.accuracy * 100:.1f} %" in text
        assert "局限 Limits" in text
    assert picture in html
    rows = re.findall(r"^\| .* \|$", markdown, re.M)
    assert len(rows) == html.count("<tr>") + len(re.findall(r"^\| ---", markdown, re.M))


def test_markup_in_a_cell_is_text(shipped: Model, answered: Evidence, tmp_path: Path) -> None:
    facts = {"settings": "<script>a|b</script>"}
    paths = write_card(replace(shipped, facts=facts), tmp_path, answered)
    markdown, html, _ = (path.read_text("utf-8") for path in paths)
    assert "&lt;script&gt;a|b&lt;/script&gt;" in html
    assert "<script>a\\|b</script> |" in markdown


@pytest.fixture(scope="module")
def answered() -> Evidence:
    truth = np.array([101, 101, 101, 102], np.int16)
    confidence = np.array([0.95, 0.95, 0.55, 0.55], np.float32)
    return Evidence(truth, ANSWERS, confidence, "here")


def test_figures_of_a_type(shipped: Model, answered: Evidence) -> None:
    assert [scores.f1 for scores in type_scores(answered)] == pytest.approx([4 / 5, 2 / 3])
    sections = {section.title.split()[-1]: section for section in card(shipped, answered)}
    neighbours, property_ = sections["Types"].rows
    assert neighbours[1:] == (3, "100.0 %", "66.7 %", "80.0 %")
    assert property_[1:] == (1, "50.0 %", "100.0 %", "66.7 %")
    assert sections["Calibration"].rows == (
        ("0.5-0.6", 2, "55.0 %", "50.0 %"),
        ("0.9-1.0", 2, "95.0 %", "100.0 %"),
    )
    assert [row[2] for row in sections["confusions"].rows] == [1]
    weakest = next(row[0] for row in sections["Limits"].rows if "weakest" in str(row[0]))
    assert "type: 102 " in str(weakest)


def test_the_picture_shows_the_types_that_occur() -> None:
    drawn = draw(np.array([101, 101, 102], np.int16), np.array([101, 102, 102], np.int16))
    titles = [str(title.text) for title in ElementTree.fromstring(drawn).iter(f"{SVG}title")]
    codes = [(title[:3], title.partition(" → ")[2][:3], title[-1]) for title in titles]
    assert codes == [("101", "101", "1"), ("101", "102", "1"), ("102", "102", "1")]


def test_the_picture_shows_the_matrix() -> None:
    root = ElementTree.fromstring(heat_map(["101 甲 <&", "102 乙"], np.array([[1, 1], [0, 1]])))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles == ["101 甲 <& → 101 甲 <&: 1", "101 甲 <& → 102 乙: 1", "102 乙 → 102 乙: 1"]
    titled = (cell for cell in root.iter(f"{SVG}rect") if cell.find(f"{SVG}title") is not None)
    fills = [cell.get("fill") for cell in titled]
    assert fills[2] == "rgb(31,119,80)"  # every 102 was right: the full shade
    assert len(set(fills)) == 3


def test_large_counts_are_written_in_their_cells() -> None:
    drawn = heat_map(["101 甲", "102 乙"], np.array([[12, 4], [7, 0]], np.int64))
    texts = [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert [text for text in texts if text in ("12", "4", "7")] == ["12", "7"]


def test_thresholds_state_what_is_left_to_people(answered: Evidence) -> None:
    confidence = np.array([0.95, 0.7, 0.55, 0.35], np.float32)
    rows = by_threshold(answered.truth, answered.answers, confidence, 0.7)
    assert [at.threshold for at in rows] == [0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [at.left for at in rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (rows[0].coverage, rows[0].accuracy, rows[3].coverage) == (1.0, 0.75, 0.75)
    assert rows[3].accuracy == pytest.approx(2 / 3)

"""The measurement of speed: what it measures on, and that its figures are those of the model asked for."""

import json
import sys

import pytest
import typer
from typer.testing import CliRunner

from infra.cli.bench.classify import classify
from pipelines.classify.measure import fasttext_baseline, speed
from pipelines.classify.model import Model


def test_texts_of_sixty_characters() -> None:
    texts = speed.sixty_characters(3000).to_pylist()
    assert len(texts) == 3000
    assert {len(text) for text in texts} == {60}
    assert len(set(texts)) > 2900


def test_figures_are_of_the_model_asked_for(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "BATCH", 2000)
    found = speed.measure(small, repeats=2)
    assert (found.version, found.loaded_bytes, found.texts) == (small.version, small.nbytes, 2000)
    assert 0 < found.slowest <= found.texts_per_core_second <= found.fastest
    assert 0 < found.load_seconds < 2


def test_it_is_three_times_as_fast_as_fasttext(shipped: Model) -> None:
    pytest.importorskip("fasttext")
    found = fasttext_baseline.against_fasttext(shipped, speed.sixty_characters(8000), repeats=3)
    assert found.ratio == pytest.approx(found.ours_per_core_second / found.fasttext_per_core_second, abs=0.01)
    assert found.ratio > 3
    assert found.texts == 8000


def test_without_fasttext_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fasttext", None)  # what an import then does: ImportError
    monkeypatch.setattr(speed, "BATCH", 500)
    app = typer.Typer()
    app.command()(classify)
    result = CliRunner().invoke(app, ["--repeats", "1", "--json"])
    assert result.exit_code == 0
    assert "NOT compared" in result.stderr
    found = json.loads(result.stdout)
    assert "fasttext" not in found
    assert found["first_answer_seconds"] > 0

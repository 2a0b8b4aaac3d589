"""The measurement of speed: the texts it uses, and figures of the requested model."""

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


def test_figures_are_of_the_requested_model(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "BATCH", 2000)
    measured = speed.measure(small, repeats=2)
    assert (measured.version, measured.loaded_bytes) == (small.version, small.nbytes)
    assert measured.texts == 2000
    assert 0 < measured.slowest <= measured.texts_per_core_second <= measured.fastest
    assert 0 < measured.load_seconds < 2


def test_it_is_three_times_as_fast_as_fasttext(shipped: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fasttext")
    monkeypatch.setitem(fasttext_baseline.SETTINGS, "epoch", 1)  # the speed does not depend on the training
    versus = fasttext_baseline.against_fasttext(shipped, speed.sixty_characters(8000), repeats=3)
    ratio = versus.ours_per_core_second / versus.fasttext_per_core_second
    assert versus.ratio == pytest.approx(ratio, abs=0.01)
    assert versus.ratio > 3
    assert versus.texts == 8000


def test_without_fasttext_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fasttext", None)  # an import then raises ImportError
    monkeypatch.setattr(speed, "BATCH", 500)
    app = typer.Typer()
    app.command()(classify)
    result = CliRunner().invoke(app, ["--repeats", "1", "--json"])
    assert result.exit_code == 0
    assert "NOT compared" in result.stderr
    figures = json.loads(result.stdout)
    assert "fasttext" not in figures
    assert figures["first_answer_seconds"] > 0

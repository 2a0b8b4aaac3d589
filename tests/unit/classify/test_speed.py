"""The measurement of speed: what it measures on, and that its figures are those of the model asked for."""

from pathlib import Path

import pytest

from pipelines.classify import speed
from pipelines.classify.model import Model
from pipelines.classify.modelfile import save_model


def test_texts_of_sixty_characters() -> None:
    texts = speed.sixty_characters(3000).to_pylist()
    assert len(texts) == 3000
    assert {len(text) for text in texts} == {60}
    assert len(set(texts)) > 2900


def test_figures_are_of_the_model_asked_for(small: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "BATCH", 2000)
    save_model(small, tmp_path / "m.npz")
    found = speed.measure(tmp_path / "m.npz", repeats=2)
    assert (found.version, found.loaded_bytes, found.texts) == (small.version, small.nbytes, 2000)
    assert 0 < found.slowest <= found.texts_per_core_second <= found.fastest

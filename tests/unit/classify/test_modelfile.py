"""The model file: what is read back, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.classify.features import strings
from pipelines.classify.model import Model
from pipelines.classify.modelfile import SHIPPED, load_model, save_model, versioned
from pipelines.errors import UserFault
from schemas.event_types import event_types, taxonomy_fingerprint


def test_a_saved_model_is_read_back(small: Model, tmp_path: Path) -> None:
    save_model(small, tmp_path / "deep" / "m.npz")
    back = load_model(tmp_path / "deep" / "m.npz")
    assert (back.version, back.ngrams, back.platt, back.facts["corpus"]) == (
        small.version,
        small.ngrams,
        small.platt,
        small.facts["corpus"],
    )
    texts = strings(["楼道堆物充电", "公交车太少"])
    assert back.predict(texts).confidence.tolist() == small.predict(texts).confidence.tolist()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["m.npz"]


def test_a_changed_file_is_read_again(small: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    save_model(small, path)
    assert load_model(path) is load_model(path)
    save_model(versioned(replace(small, threshold=0.123)), path)
    assert load_model(path).threshold == 0.123


def test_another_taxonomy_is_refused(small: Model, tmp_path: Path) -> None:
    save_model(replace(small, taxonomy="0123456789abcdef"), tmp_path / "m.npz")
    with pytest.raises(UserFault, match="has taxonomy 0123456789abcdef"):
        load_model(tmp_path / "m.npz")


def test_the_fault_of_a_missing_file_says_how_to_train_a_model(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="gridstream model train"):
        load_model(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x05\x06" + b"\0" * 18])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(UserFault, match="not a model file"):
        load_model(tmp_path / "m.npz")


def test_pickled_content_is_not_executed(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(UserFault, match="not a model file"):
        load_model(tmp_path / "m.npz")


def test_another_format_is_refused(small: Model, tmp_path: Path) -> None:
    save_model(small, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes()) | {"format": 99}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "new.npz", **arrays)
    with pytest.raises(UserFault, match="format 99"):
        load_model(tmp_path / "new.npz")


def test_a_file_that_does_not_state_unknown_ngrams_ignores_them(small: Model, tmp_path: Path) -> None:
    assert small.stranger > 0
    save_model(small, tmp_path / "m.npz")
    assert load_model(tmp_path / "m.npz").stranger == small.stranger
    with np.load(tmp_path / "m.npz") as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes())
    del header["stranger"]
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    assert load_model(tmp_path / "old.npz").stranger == 0


def test_the_version_depends_on_the_content(small: Model) -> None:
    assert versioned(replace(small, version="")).version == small.version
    assert versioned(replace(small, bias=small.bias + 1)).version != small.version
    assert versioned(replace(small, platt=(1.0, 0.0))).version != small.version
    assert versioned(replace(small, stranger=0)).version != small.version


def test_the_shipped_model_fits_and_is_small(shipped: Model) -> None:
    assert shipped.taxonomy == taxonomy_fingerprint()
    assert shipped.codes.tolist() == [kind.code for kind in event_types()]
    assert SHIPPED.stat().st_size < 5_000_000
    assert shipped.nbytes < 50_000_000
    assert 0 < shipped.threshold < 1

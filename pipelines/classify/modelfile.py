"""The model file: an `.npz` of plain arrays and a JSON header. Loading it executes nothing."""

import hashlib
import json
import zipfile
from dataclasses import asdict, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.classify.features import Ngrams
from pipelines.classify.model import Model
from pipelines.errors import UserFault
from pipelines.files import replace_file
from schemas.event_types import taxonomy_fingerprint

FORMAT = 1
SHIPPED = Path(__file__).with_name("models") / "shipped.npz"
_ARRAYS = ("codes", "hashes", "weights", "scales", "bias")
_FIELDS = ("version", "taxonomy", "temperature", "platt", "threshold", "facts")


def save_model(model: Model, path: Path) -> None:
    """Write the file in one step: a reader sees the old model or the new one.

    Raises:
        OSError: as `replace_file` does.
    """
    header = {name: getattr(model, name) for name in (*_FIELDS, "stranger")} | {
        "format": FORMAT,
        "ngrams": asdict(model.ngrams),
    }
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    arrays: dict[str, Any] = {name: getattr(model, name) for name in _ARRAYS}
    buffer = BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(text, np.uint8), **arrays)
    replace_file(path, buffer.getvalue())


def load_model(path: Path | str | None = None) -> Model:
    """The model in this file; without `path` the model shipped with the package.

    Raises:
        UserFault: the file does not exist, is not a model file, has another format, or its model
            was trained under another taxonomy.
    """
    file = Path(path) if path else SHIPPED
    if not file.is_file():
        raise UserFault(
            f"没有模型文件 {file}，请先训练 No model at {file}: train one with `gridstream model train --out {file}`."
        )
    model, taxonomy = _read(file), taxonomy_fingerprint()
    if model.taxonomy != taxonomy:
        raise UserFault(
            f"模型 {model.version} 的分类体系是 {model.taxonomy}，本机是 {taxonomy}，请重新训练"
            f" Model {model.version} has taxonomy {model.taxonomy}, this installation has {taxonomy}:"
            " train it again with `gridstream model train`."
        )
    return model


def current_model(path: Path | None) -> Model:
    """The promoted model at `path`; the shipped model until one was promoted there.

    Each call checks the file's time and size, and reads the file again only if they changed. A
    long-lived worker can call this for every batch and uses a promoted model from its next batch
    on.

    Raises:
        UserFault: the file exists, and `load_model` refuses it.
    """
    return load_model(path if path and path.is_file() else None)


def read_model(path: Path) -> Model | None:
    """The model at `path` of any taxonomy; None if there is no file. To be kept, not to classify
    with.

    Raises:
        UserFault: the file is not a model file, or has another format.
    """
    return _read(path) if path.is_file() else None


@lru_cache(maxsize=4)
def _cached(path: Path, modified: int, size: int) -> Model:
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            arrays = {name: file[name] for name in _ARRAYS}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserFault(f"{path} 不是模型文件 is not a model file ({error}).") from error
    if (stated := header.get("format")) != FORMAT:
        raise UserFault(
            f"{path} 的模型格式是 {stated}，本机只读 {FORMAT}"
            f" has model format {stated}, this installation reads {FORMAT}."
        )
    ngrams = Ngrams(**header["ngrams"] | {"leads": tuple(header["ngrams"]["leads"])})
    header["platt"] = tuple(header["platt"])
    return Model(
        ngrams=ngrams,
        stranger=header.get("stranger", 0),  # files of before unknown n-grams counted lack it
        **{name: header[name] for name in _FIELDS},
        **arrays,
    )


def _read(path: Path) -> Model:
    """The model in a file, loaded once per process and state of the file."""
    state = path.stat()
    return _cached(path.resolve(), state.st_mtime_ns, state.st_size)


def versioned(model: Model) -> Model:
    """The same model with a version computed from its content: equal training gives an equal
    version.
    """
    digest = hashlib.sha256(model.taxonomy.encode())
    for name in _ARRAYS:
        digest.update(np.ascontiguousarray(getattr(model, name)).tobytes())
    digest.update(repr((model.ngrams, model.temperature, model.platt, model.threshold)).encode())
    if model.stranger:
        digest.update(model.stranger.to_bytes(1))
    return replace(model, version=f"{FORMAT}-{digest.hexdigest()[:10]}")

"""The model file: one `.npz` of plain arrays and a JSON header; nothing in it is executed on loading."""

import hashlib
import json
import zipfile
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.classify.features import Ngrams
from pipelines.classify.model import Model
from pipelines.errors import UserFault
from schemas.event_types import taxonomy_fingerprint

FORMAT = 1
SHIPPED = Path(__file__).with_name("models") / "shipped.npz"
_ARRAYS = ("codes", "hashes", "weights", "scales", "bias")


def save_model(model: Model, path: Path) -> None:
    """Write the file in one step: a reader sees the old model or the new one."""
    header = {
        "format": FORMAT,
        "version": model.version,
        "taxonomy": model.taxonomy,
        "ngrams": asdict(model.ngrams),
        "temperature": model.temperature,
        "platt": model.platt,
        "threshold": model.threshold,
        "stranger": model.stranger,
        "facts": model.facts,
    }
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    arrays: dict[str, Any] = {name: getattr(model, name) for name in _ARRAYS}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        np.savez_compressed(file, header=np.frombuffer(text, np.uint8), **arrays)
    draft.replace(path)


def load_model(path: Path | str | None = None) -> Model:
    """The model in this file, or the one shipped with the package.

    Raises:
        UserFault: no such file, not a model file, another format, or trained under another taxonomy.
    """
    chosen = Path(path) if path else SHIPPED
    if not chosen.is_file():
        raise UserFault(f"No model at {chosen}: train one with `gridstream model train --out {chosen}`.")
    model = _read(chosen)
    if model.taxonomy != taxonomy_fingerprint():
        raise UserFault(
            f"Model {model.version} knows taxonomy {model.taxonomy}, this installation has {taxonomy_fingerprint()}:"
            " train it again with `gridstream model train`."
        )
    return model


def current_model(path: Path | None) -> Model:
    """The promoted model at `path`; the shipped one as long as none was promoted there.

    Asks for the file's state each time and reads it again only when that changed, so a long-lived worker may call it
    for every batch and takes a promoted model with the next one.

    Raises:
        UserFault: there is a file, and `load_model` refuses it.
    """
    return load_model(path if path and path.is_file() else None)


def previous_model(path: Path) -> Model | None:
    """The model at `path` whatever its taxonomy, to be kept and not to be used; None where there is no file."""
    return _read(path) if path.is_file() else None


@lru_cache(maxsize=4)
def _cached(path: Path, modified: int, size: int) -> Model:
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            arrays = {name: file[name] for name in _ARRAYS}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserFault(f"{path} is not a model file ({error}).") from error
    if header.get("format") != FORMAT:
        raise UserFault(f"{path} has model format {header.get('format')}, this installation reads {FORMAT}.")
    ngrams = Ngrams(**header["ngrams"] | {"leads": tuple(header["ngrams"]["leads"])})
    header["platt"] = tuple(header["platt"])
    fields = {name: header[name] for name in ("version", "taxonomy", "temperature", "platt", "threshold", "facts")}
    return Model(ngrams=ngrams, stranger=header.get("stranger", 0), **fields, **arrays)


def _read(path: Path) -> Model:
    """Once per process and file state, so that a worker pays for loading with its first batch only."""
    state = path.stat()
    return _cached(path.resolve(), state.st_mtime_ns, state.st_size)


def versioned(model: Model) -> Model:
    """The same model under a version made of its content: equal training gives an equal version."""
    digest = hashlib.sha256(model.taxonomy.encode())
    for name in _ARRAYS:
        digest.update(np.ascontiguousarray(getattr(model, name)).tobytes())
    digest.update(repr((model.ngrams, model.temperature, model.platt, model.threshold)).encode())
    if model.stranger:
        digest.update(model.stranger.to_bytes(1))
    return replace(model, version=f"{FORMAT}-{digest.hexdigest()[:10]}")

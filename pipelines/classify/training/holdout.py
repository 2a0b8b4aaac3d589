"""The holdout: texts kept apart to compare models, and twins, which are models trained without
it.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.classify.features import Ngrams
from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model
from pipelines.classify.training.corpus import Corpus, corpus, descriptions, joined
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.train import Training, train
from pipelines.errors import UserFault

SHARE = 0.2
LEFT_OUT = "holdout_left_out"
"""The fact of a model trained without the holdout: the fingerprint of the texts left out."""
_BEFORE: dict[str, Any] = {"strangers": False, "other": 0.0, "bayes": 0.0, "places": 0.0}
"""What the settings meant in model files written before these four existed."""


@dataclass(frozen=True)
class Data:
    """What models are trained on and compared by: the corpus's reports and the taxonomy's keywords.
    `twins`: the folder of the models that retraining promoted, each with its twin; None if there is
    none.
    """

    reports: Corpus = field(default_factory=corpus)
    keywords: Corpus = field(default_factory=descriptions)
    twins: Path | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint that a model trained on all of it states."""
        return joined(self.reports, self.keywords).fingerprint


def held(text: str) -> bool:
    """Whether a text belongs to the holdout. Its SHA-256 alone decides, so that the text stays
    there as the corpus grows.
    """
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:4]) < SHARE * 2**32


def split(reports: Corpus) -> tuple[Corpus, Corpus]:
    """The reports that may be trained on, and the holdout."""
    apart = np.array([held(text) for text in reports.texts.to_pylist()], np.bool_)
    return _rows(reports, ~apart), _rows(reports, apart)


def _rows(reports: Corpus, chosen: NDArray[np.bool_]) -> Corpus:
    return Corpus(reports.texts.filter(pa.array(chosen)), reports.labels[chosen])


def train_without_holdout(data: Data, settings: Settings, done: Callable[[int], None] = lambda _: None) -> Training:
    """A model that has not seen the holdout; its facts say so. `done`: see `train`."""
    rest, apart = split(data.reports)
    return train(rest, settings, data.keywords, {LEFT_OUT: apart.fingerprint}, done)


def settings_of(facts: Mapping[str, Any]) -> Settings:
    """The training settings that a model file states.

    Raises:
        UserFault: it states none that this version knows.
    """
    try:
        stated = _BEFORE | dict(facts["settings"])
        ngrams = dict(stated.pop("ngrams"))
        return Settings(Ngrams(**ngrams | {"leads": tuple(ngrams["leads"])}), **stated)
    except (KeyError, TypeError) as error:
        raise UserFault(
            f"模型文件没有可重复的训练设置 The model file states no training settings that can be repeated ({error})."
        ) from error


def reproducible(model: Model, data: Data) -> bool:
    """Whether the model was trained on all of this data, so that its training can be repeated."""
    return bool(model.facts.get("corpus") == data.fingerprint and LEFT_OUT not in model.facts)


def unseen(model: Model, data: Data) -> tuple[Model, str]:
    """The model to measure on the holdout in place of `model`, and how fair that is:

    `left out`  the model itself: it was trained without the holdout.
    `twin`      its twin, of the same settings and data: trained here, or kept when it was promoted.
    `unknown`   the model itself, trained on other data: it may have seen the holdout, so its score
                may be too good.
    """
    apart = split(data.reports)[1].fingerprint
    if model.facts.get(LEFT_OUT) == apart:
        return model, "left out"
    if reproducible(model, data):
        return _twin(data.fingerprint, settings_of(model.facts), _Uncompared(data)), "twin"
    kept = kept_twin(model, data)
    if kept is not None and kept.facts.get(LEFT_OUT) == apart:
        return kept, "twin"
    return model, "unknown"


def kept_twin(model: Model, data: Data) -> Model | None:
    """The twin that retraining kept when it promoted this model; None if there is none."""
    file = twin_file(data.twins / model.version) if data.twins else None
    return load_model(file) if file and file.is_file() else None


def twin_file(folder: Path) -> Path:
    """The twin's file in the folder of its model."""
    return folder / "twin.npz"


@dataclass(frozen=True)
class _Uncompared:
    """Data as an argument that a cache's key leaves out; the key has its fingerprint instead."""

    data: Data = field(compare=False)


@cache
def _twin(fingerprint: str, settings: Settings, data: _Uncompared) -> Model:
    return train_without_holdout(data.data, settings).model

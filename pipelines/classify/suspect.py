"""The suspect head: how probable it is that a report is perfunctory or false. Shown to people; no
report is rejected because of it.

A perfunctory report names nothing that a person could go and see: only an outcome ("handled"), a
trial entry, a copied checklist item, a heading. How serious, polite or short it is does not matter.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.classify.model import Model, log_odds
from pipelines.classify.modelfile import read_model
from pipelines.errors import UserFault

SHIPPED = Path(__file__).with_name("models") / "suspect.npz"
LABELS = "suspect-v1: 0 sound, 1 perfunctory or false"
"""The value of `Model.taxonomy` in a suspect model."""
LIKELY = 0.5
"""Summaries count a report as suspect from this probability on: more likely than not."""
_LETTER_OR_DIGIT = r"[\p{L}\p{N}]"


@dataclass(frozen=True)
class SuspectHead:
    """A model of two classes, and the `curve` (slope, offset) that calibrates its log-odds of class
    1.
    """

    model: Model
    curve: tuple[float, float]

    def probability(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """float32 (rows,); null reads as empty. 1 for a text without a letter or digit: it says
        nothing. 0 for a text with letters of which the model knows none (another script).
        """
        predicted = self.model.predict(texts)
        is_suspect = predicted.codes == 1
        raw = np.where(is_suspect, predicted.confidence, 1 - predicted.confidence)
        chance = apply_curve(self.curve, raw)
        unknown = predicted.confidence == 0
        if unknown.any():
            unknown_texts = texts.filter(pa.array(unknown)).fill_null("")
            says_nothing = pc.invert(pc.match_substring_regex(unknown_texts, _LETTER_OR_DIGIT))
            chance[unknown] = says_nothing.to_numpy(zero_copy_only=False)
        return pa.array(chance, pa.float32())

    def warm_up(self) -> "SuspectHead":
        """Compile the kernel and build the tables now instead of at the first batch."""
        self.model.warm_up()
        return self


def apply_curve(curve: tuple[float, float], chance: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Calibrated probability of class 1: sigmoid(slope x log-odds + offset)."""
    slope, offset = curve
    return np.asarray(1 / (1 + np.exp(-(slope * log_odds(chance) + offset))))


def load_head(path: Path = SHIPPED) -> SuspectHead:
    """The suspect head in this file.

    Raises:
        UserFault: the file does not exist, is not a model file, or holds another kind of model.
    """
    model = read_model(path)
    if model is None:
        raise UserFault(
            f"没有存疑模型文件 {path}，请先训练"
            f" No suspect model at {path}: train one with `gridstream model train-suspect --out {path}`."
        )
    if model.taxonomy != LABELS:
        raise UserFault(
            f"{path} 不是存疑模型，其分类体系是 {model.taxonomy}"
            f" {path} is not a suspect model: its taxonomy is {model.taxonomy}."
        )
    slope, offset = model.facts["curve"]
    return SuspectHead(model, (float(slope), float(offset)))


@cache
def shipped_head() -> SuspectHead:
    """The head that the package ships with; read once per process."""
    return load_head().warm_up()


def suspect(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Probability (float32, rows) that each text is perfunctory or false, by the shipped head."""
    return shipped_head().probability(texts)

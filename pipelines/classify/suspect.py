"""The second head: how probable it is that a report is perfunctory or false. Shown to people, never a reason to refuse.

A perfunctory report names nothing that anybody could go and see: an outcome alone ("handled"), a trial entry, a
checklist item copied back, a heading. How serious, how polite or how short it is does not matter.
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
from pipelines.classify.modelfile import previous_model
from pipelines.errors import UserFault

SHIPPED = Path(__file__).with_name("models") / "suspect.npz"
LABELS = "suspect-v1: 0 sound, 1 perfunctory or false"
"""Stands where a model of event types names its taxonomy."""
LIKELY = 0.5
"""From here on a report is counted as suspect in summaries: more likely so than not."""
_A_WORD = r"[\p{L}\p{N}]"


@dataclass(frozen=True)
class SuspectHead:
    """A model of two classes and the `curve` (slope, offset) that turns its log-odds of class 1 into probability."""

    model: Model
    curve: tuple[float, float]

    def probability(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """float32 (rows,), null reads as empty. A text without a letter or digit says nothing: 1. One with letters of
        which the head knows none (another script) is not accused: 0.
        """
        found = self.model.predict(texts)
        one = np.where(found.codes == 1, found.confidence, 1 - found.confidence)
        chance = through(self.curve, one)
        strange = found.confidence == 0
        if strange.any():
            unknown = texts.filter(pa.array(strange)).fill_null("")
            chance[strange] = pc.invert(pc.match_substring_regex(unknown, _A_WORD)).to_numpy(zero_copy_only=False)
        return pa.array(chance, pa.float32())

    def warm_up(self) -> "SuspectHead":
        """Compile and build tables now rather than with the first batch."""
        self.model.warm_up()
        return self


def through(curve: tuple[float, float], chance: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probability of class 1, calibrated: sigmoid(slope x log-odds + offset)."""
    slope, offset = curve
    return np.asarray(1 / (1 + np.exp(-(slope * log_odds(chance) + offset))))


def load_head(path: Path = SHIPPED) -> SuspectHead:
    """Raises:
    UserFault: no such file, not a model file, or a model of something else.
    """
    model = previous_model(path)
    if model is None:
        raise UserFault(f"No suspect model at {path}: train one with `gridstream model train-suspect --out {path}`.")
    if model.taxonomy != LABELS:
        raise UserFault(f"{path} is no suspect model: it tells apart {model.taxonomy}.")
    slope, offset = model.facts["curve"]
    return SuspectHead(model, (float(slope), float(offset)))


@cache
def shipped_head() -> SuspectHead:
    """The head that the package brings; read once in a process."""
    return load_head().warm_up()


def suspect(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Probability (float32, rows) that each text is perfunctory or false, by the shipped head."""
    return shipped_head().probability(texts)

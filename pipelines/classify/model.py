"""A loaded model: classifies texts, with calibrated confidence."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.classify import kernel
from pipelines.classify.characters import fold_table
from pipelines.classify.features import Ngrams, buffers, chunks, strings

OTHER = 999
GAIN_UNIT = 64
"""Fixed-point unit of an n-gram occurrence: int8 weight x 64 x 4,000 distinct n-grams fits an
int32.
"""


@dataclass(frozen=True)
class Prediction:
    """One entry per text. `alternatives` and `alternative_confidence` (rows, 3) begin with the
    answer.

    A text without any n-gram that the model knows (empty, null, another script) is 999 with
    confidence 0, and so are its alternatives.
    """

    codes: NDArray[np.int16]
    confidence: NDArray[np.float32]
    alternatives: NDArray[np.int16]
    alternative_confidence: NDArray[np.float32]

    def where(self, rows: NDArray[np.bool_]) -> "Prediction":
        """The entries where `rows` (rows,) is true."""
        return Prediction(
            self.codes[rows],
            self.confidence[rows],
            self.alternatives[rows],
            self.alternative_confidence[rows],
        )


def gains() -> NDArray[np.int32]:
    """Shape (2, MAX_COUNT), in GAIN_UNIT: what occurrence k + 1 of an n-gram adds to its term
    frequency 1 + ln k (row 0), and to the square of that (row 1).
    """
    frequency = np.concatenate([[0.0], 1 + np.log(np.arange(1, kernel.MAX_COUNT + 1))])
    steps = np.stack([np.diff(frequency), np.diff(frequency**2)])
    return np.asarray(np.rint(steps * GAIN_UNIT), np.int32)


def log_odds(chance: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """ln(p / (1 - p)) of probabilities, clipped to 1e-6 and 1 - 1e-6."""
    inside = np.clip(chance.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def calibrated(chances: NDArray[np.floating[Any]], platt: tuple[float, float]) -> NDArray[np.float32]:
    """Softmax of the best three (rows, 3) as calibrated probabilities: the best becomes sigmoid(a x
    log-odds + b) with (a, b) = `platt`; the others share the rest in proportion, and are never
    above the best. A row of zeros stays zero.
    """
    slope, offset = platt
    best = 1 / (1 + np.exp(-(slope * log_odds(chances[:, 0]) + offset)))
    rest = (1 - best) / np.maximum(1 - chances[:, 0].astype(np.float64), 1e-6)
    others = np.minimum(chances[:, 1:] * rest[:, None], best[:, None])
    joined = np.column_stack([best, others])
    joined[chances[:, 0] == 0] = 0
    return joined.astype(np.float32)


@dataclass(frozen=True)
class Model:
    """A trained model; immutable, usable from several threads.

    `hashes` (n-grams,) uint32 ascending: the n-grams that the model knows. `weights` (n-grams,
    classes + 1) int8 and `scales` (classes + 1,) float32: weight = int8 x scale; the last column
    holds squared inverse document frequencies. `bias` (classes,). Confidence: softmax of scores
    over `temperature`, then `platt`. `threshold`: least confidence at which the model decides.
    `stranger`: the squared inverse document frequency, as int8 of the last column, that an n-gram
    unknown to the model has in the length of a text. Noise then scores near zero for every class
    instead of following its few known characters; 0 ignores such n-grams. `facts`: fingerprint of
    the training data, measured scores, settings.
    """

    version: str
    taxonomy: str
    codes: NDArray[np.int16]
    ngrams: Ngrams
    hashes: NDArray[np.uint32]
    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float
    platt: tuple[float, float]
    threshold: float
    stranger: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        size = 1 << max(len(self.hashes) * 2 - 1, 1).bit_length()
        table = np.full(size, -1, np.int64)
        kernel.fill_table(self.hashes, table)
        return table

    def rows_of(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The weight row of each n-gram; -1 for an n-gram that the model does not know."""
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, at, -1)

    @cached_property
    def _head(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scales and biases, divided by the temperature and the fixed-point unit."""
        scales = self.scales.astype(np.float64) / GAIN_UNIT
        scales[:-1] /= self.temperature
        return scales.astype(np.float32), (self.bias / self.temperature).astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of memory of a loaded model, including its look-up table."""
        arrays = (self.codes, self.hashes, self.weights, self.scales, self.bias, self._table)
        return sum(array.nbytes for array in arrays)

    def predict(self, texts: pa.Array | pa.ChunkedArray) -> Prediction:
        """Classify a string column. Deterministic; null reads as empty."""
        columns = chunks(texts) or [pa.array([], pa.string())]
        parts = [self._rank(*buffers(column)) for column in columns]
        top = np.concatenate([part[0] for part in parts])
        confidence = calibrated(np.concatenate([part[1] for part in parts]), self.platt)
        codes = np.append(self.codes, np.int16(OTHER))[top]  # -1 (nothing known) is the appended 999
        return Prediction(codes[:, 0].copy(), confidence[:, 0].copy(), codes, confidence)

    def _rank(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Columns (rows, 3) of the best three classes, -1 for none, and their probabilities."""
        rows = len(offsets) - 1
        top = np.empty((rows, 3), np.int16)
        probability = np.empty((rows, 3), np.float32)
        scales, bias = self._head
        kernel.score_rows(
            data, offsets, fold_table(), self.ngrams.plan(), self._table, self.weights, gains(), scales, bias,
            self.stranger, top, probability,
        )  # fmt: skip
        return top, probability

    def warm_up(self) -> "Model":
        """Compile or load the kernel, and build the tables, now instead of at the first batch."""
        self.predict(strings(["预热 warm up"]))
        return self

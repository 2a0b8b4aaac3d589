"""Decides the event type of a report: by a person, the source's category, the text, or not yet.

Layers, in this order. `decided_by` of each row names the layer that decided it:

1. `person`     the message has an `event_type`, which a person set.
2. `crosswalk`  the message has a `source_type` that a crosswalk maps to an event type.
3. `model`      the text model, if its confidence reaches the threshold.
4. `fallback`   999. The model's best three stay with the row for the review queue.

The model reads only rows that reach layer 3.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.classify.model import OTHER, Model, Prediction
from schemas.crosswalks import lookup

PERSON, CROSSWALK, MODEL, FALLBACK = LAYERS = ("person", "crosswalk", "model", "fallback")


class Decisions(NamedTuple):
    """One entry per row, in order.

    event_type: uint16. confidence: float32, the probability of the type; 1 if a person or a
    crosswalk decided; in a `fallback` row the probability of the model's best guess. decided_by:
    string, one of LAYERS. alternatives: list<uint16> and alternative_confidence: list<float32>, the
    model's best three, best first; empty if the model did not read the row.
    """

    event_type: pa.Array
    confidence: pa.Array
    decided_by: pa.Array
    alternatives: pa.Array
    alternative_confidence: pa.Array


def decide(
    model: Model,
    table: pa.Table | pa.RecordBatch,
    threshold: float | None = None,
    ask_always: bool = False,
) -> Decisions:
    """Decide every row of a table with the columns event_type (integer, nullable), source_type
    (string, nullable) and text (string). `threshold` replaces the model's own. Pure: equal input,
    equal output.

    With `ask_always` the model reads every row, so that every row has alternatives; the decisions
    are the same.
    """
    person = _column(table, "event_type").cast(pa.int32())
    given = pc.coalesce(person, _crosswalked(_column(table, "source_type")))
    undecided = given.is_null().to_numpy(zero_copy_only=False)
    asked = np.flatnonzero(undecided | ask_always)
    predicted = model.predict(_column(table, "text").take(pa.array(asked)))
    rows, prediction = asked[undecided[asked]], predicted.where(undecided[asked])
    sure = prediction.confidence >= np.float32(model.threshold if threshold is None else threshold)

    codes = given.fill_null(OTHER).to_numpy(zero_copy_only=False).astype(np.uint16)
    codes[rows] = np.where(sure, prediction.codes, OTHER)
    confidence = np.ones(len(codes), np.float32)
    confidence[rows] = prediction.confidence
    layer = np.where(person.is_valid().to_numpy(zero_copy_only=False), 0, 1).astype(np.int8)
    layer[rows] = np.where(sure, 2, 3)
    alternatives, chances = _alternatives(len(codes), asked, predicted)
    names = pa.DictionaryArray.from_arrays(pa.array(layer), pa.array(LAYERS)).cast(pa.string())
    return Decisions(pa.array(codes), pa.array(confidence), names, alternatives, chances)


def _column(table: pa.Table | pa.RecordBatch, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _crosswalked(source_types: pa.Array) -> pa.Array:
    """int32: the event type that a crosswalk gives each source_type, null if none does. One lookup
    per distinct value.
    """
    coded = source_types.cast(pa.string()).dictionary_encode()
    types = pa.array([lookup(value) for value in coded.dictionary.to_pylist()], pa.int32())
    return types.take(coded.indices)


def _alternatives(count: int, rows: NDArray[np.int64], prediction: Prediction) -> tuple[pa.Array, pa.Array]:
    """Codes and probabilities as `count` lists: of three at `rows`, empty elsewhere."""
    sizes = np.zeros(count, np.int32)
    sizes[rows] = prediction.alternatives.shape[1]
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    codes = pa.array(prediction.alternatives.ravel().astype(np.uint16))
    chances = pa.array(prediction.alternative_confidence.ravel())
    return pa.ListArray.from_arrays(offsets, codes), pa.ListArray.from_arrays(offsets, chances)

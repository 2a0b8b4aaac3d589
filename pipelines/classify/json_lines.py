"""JSON lines in, JSON lines out: the classifier over a byte stream, in order, batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import msgspec
import numpy as np
import pyarrow as pa

from pipelines.classify.decide import decide
from pipelines.classify.explain import Weighed, explain
from pipelines.classify.features import strings
from pipelines.classify.model import Model
from schemas.event_types import known_codes


class Line(msgspec.Struct):
    """One text to classify. `event_type` is a person's word, `source_type` goes through the crosswalks; both win over
    the text.
    """

    id: str | int
    text: str
    source: str | None = None
    source_type: str | None = None
    event_type: Annotated[int, msgspec.Meta(ge=100, le=999)] | None = None


class Alternative(msgspec.Struct, gc=False):
    event_type: int
    confidence: float


class Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """What is written for a line; `explain` only where it was asked for."""

    id: str | int
    event_type: int
    confidence: float
    decided_by: str
    alternatives: list[Alternative]
    explain: tuple[Weighed, ...] | None = None


class LineFault(msgspec.Struct, frozen=True):
    """A line that is no such JSON object; `number` counts from 1."""

    number: int
    reason: str


def batches(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Whole lines, as many as each block of bytes completes; a last line without a line feed counts."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


class LineClassifier:
    """Answers batches of lines; remembers only how many lines it has seen."""

    def __init__(self, model: Model, explained: bool = False, threshold: float | None = None) -> None:
        self._model = model
        self._explained = explained
        self._threshold = threshold
        self._seen = 0
        self._codes = known_codes()
        self._decode: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode

    def answer(self, lines: list[bytes]) -> tuple[bytes, list[LineFault]]:
        """The answers as JSON lines, and the lines that got none. Blank lines count but are neither."""
        good: list[Line] = []
        faults: list[LineFault] = []
        for number, line in enumerate(lines, self._seen + 1):
            if not line.strip():
                continue
            try:
                good.append(self._checked(self._decode(line)))
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
                faults.append(LineFault(number, str(error)))
        self._seen += len(lines)
        return msgspec.json.Encoder().encode_lines(self._answers(good)), faults

    def _checked(self, line: Line) -> Line:
        if line.event_type is not None and line.event_type not in self._codes:
            raise ValueError(f"No such event type: {line.event_type} - at `$.event_type`")
        return line

    def _answers(self, good: list[Line]) -> Iterator[Answer]:
        table = pa.table(
            {
                "event_type": pa.array([line.event_type for line in good], pa.uint16()),
                "source_type": pa.array([line.source_type for line in good], pa.string()),
                "text": strings([line.text for line in good]),
            }
        )
        made = decide(self._model, table, self._threshold, ask_always=True)
        best = made.alternatives.flatten().to_pylist()
        chances = _rounded(made.alternative_confidence.flatten())
        pairs = list(map(Alternative, best, chances))
        rows = zip(
            good, made.event_type.to_pylist(), _rounded(made.confidence), made.decided_by.to_pylist(), strict=True
        )
        for row, (line, code, confidence, layer) in enumerate(rows):
            told = explain(self._model, line.text) if self._explained else None
            yield Answer(line.id, code, confidence, layer, pairs[3 * row : 3 * row + 3], told)


def _rounded(values: pa.Array) -> list[float]:
    """Four decimals: more would be noise, and would print as float32 leftovers."""
    return np.round(values.to_numpy(zero_copy_only=False).astype(np.float64), 4).tolist()  # type: ignore[no-any-return]

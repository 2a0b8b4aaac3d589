"""Classifies JSON lines of a byte stream, in order, batch by batch; the answers are JSON lines."""

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
    """One text to classify. `event_type` is set by a person, `source_type` is mapped by the
    crosswalks; both have priority over the text.
    """

    id: str | int
    text: str
    source: str | None = None
    source_type: str | None = None
    event_type: Annotated[int, msgspec.Meta(ge=100, le=999)] | None = None


class Alternative(msgspec.Struct, gc=False):
    """One of the model's best three."""

    event_type: int
    confidence: float


class Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """The answer to a line; `explain` only if it was requested."""

    id: str | int
    event_type: int
    confidence: float
    decided_by: str
    alternatives: list[Alternative]
    explain: tuple[Weighed, ...] | None = None


class LineFault(msgspec.Struct, frozen=True):
    """A line that is not such a JSON object; `number` counts from 1."""

    number: int
    reason: str


def batches(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines that each block of bytes completes. A last line without a line feed counts."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


class LineClassifier:
    """Answers batches of lines. Its only state is the number of lines it has read."""

    def __init__(self, model: Model, explained: bool = False, threshold: float | None = None) -> None:
        self._model = model
        self._explained = explained
        self._threshold = threshold
        self._seen = 0
        self._codes = known_codes()
        self._decode: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode

    def answer(self, lines: list[bytes]) -> tuple[bytes, list[LineFault]]:
        """The answers as JSON lines, and the malformed lines. Blank lines are counted and
        skipped.
        """
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
        decisions = decide(self._model, table, self._threshold, ask_always=True)
        best = decisions.alternatives.flatten().to_pylist()
        chances = _rounded(decisions.alternative_confidence.flatten())
        alternatives = list(map(Alternative, best, chances))
        rows = zip(
            good,
            decisions.event_type.to_pylist(),
            _rounded(decisions.confidence),
            decisions.decided_by.to_pylist(),
            strict=True,
        )
        for row, (line, code, confidence, layer) in enumerate(rows):
            best_three = alternatives[3 * row : 3 * row + 3]
            weighed = explain(self._model, line.text) if self._explained else None
            yield Answer(line.id, code, confidence, layer, best_three, weighed)


def _rounded(values: pa.Array) -> list[float]:
    """Rounded to four decimals: a float32 has more digits, but they are noise."""
    exact = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.round(exact, 4).tolist()  # type: ignore[no-any-return]

"""The project's own training text: `corpus/<code>.txt`, one report per line, and the taxonomy's
phrases.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.event_types import EventType, event_types

FOLDER = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Corpus:
    """`texts` (rows,) string and `labels` (rows,) int16, sorted by code; no text twice under one
    code.
    """

    texts: pa.Array
    labels: NDArray[np.int16]

    @property
    def fingerprint(self) -> str:
        """16 hex digits over texts and labels: identifies the data that a model was trained on."""
        digest = hashlib.sha256()
        for label, text in zip(self.labels.tolist(), self.texts.to_pylist(), strict=True):
            digest.update(f"{label}\t{text}\n".encode())
        return digest.hexdigest()[:16]


def corpus(folder: Path = FOLDER) -> Corpus:
    """Reports written for training: the folder's files, its hard negatives, and the taxonomy's
    examples.
    """
    pairs = dict.fromkeys(pair for kind in event_types() for pair in _reports_of(kind, folder))
    for file in sorted(folder.glob("hard_negatives*.tsv")):
        pairs |= dict.fromkeys(_hard_negatives(file))
    return _corpus(sorted(pairs))


def descriptions() -> Corpus:
    """The taxonomy's phrases: the names of each type and what it covers. Keywords rather than
    reports.
    """
    pairs = {(kind.code, phrase) for kind in event_types() for phrase in _phrases(kind)}
    return _corpus(sorted(pairs))


def joined(*parts: Corpus) -> Corpus:
    """The rows of all parts in this order; not sorted by code across parts."""
    return Corpus(
        pa.concat_arrays([part.texts for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _corpus(pairs: list[tuple[int, str]]) -> Corpus:
    texts = pa.array([text for _, text in pairs], pa.string())
    return Corpus(texts, np.array([code for code, _ in pairs], np.int16))


def _reports_of(kind: EventType, folder: Path) -> list[tuple[int, str]]:
    file = folder / f"{kind.code}.txt"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [(kind.code, text) for text in (*kind.examples, *texts)]


def _hard_negatives(file: Path) -> list[tuple[int, str]]:
    """Lines of code, tab, text. Text after a second tab is a note; a line without a code is a
    heading.
    """
    lines = file.read_text("utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(int(row[0]), row[1].strip()) for row in cells if len(row) > 1 and row[0].isdecimal()]


def _phrases(kind: EventType) -> list[str]:
    parts = re.split(r"[、,;()/]", kind.covers)
    return [kind.zh, kind.en, *(part for part in parts if len(part) > 1 and not re.search(r"\d", part))]

"""A confusion matrix as an SVG picture: rows are the truth, columns the answer, darker is more."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from schemas.event_types import event_type

CELL, LEFT, TOP = 22, 190, 60  # pixels
LABELLED = 5  # cells with at least this count show it
_LEGEND = (
    f"绿为答对，红为答错；越深占该行越多；数字为条数（{LABELLED} 起）"
    "green: right, red: wrong; darker: a larger share of the row; numbers: texts"
)
_DIAGONAL, _MISTAKE = (31, 119, 80), (200, 40, 40)  # RGB


def draw(truth: NDArray[np.int16], answers: NDArray[np.int16]) -> str:
    """The picture of all codes that occur in the truth (rows,) or in the answers (rows,)."""
    codes = np.union1d(truth, answers).tolist()
    names = [f"{code} {event_type(code).zh}" for code in codes]
    return heat_map(names, confusion_matrix(truth, answers, labels=codes))


def heat_map(names: Sequence[str], counted: NDArray[np.int64]) -> str:
    """SVG of counts (truth, answer). The shade of a cell is its share of the row: green for right
    answers, red for mistakes. Each of `names` begins with a code, which labels the column.
    """
    side = CELL * len(names)
    shares = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    cells = [
        _cell(row, column, float(shares[row, column]), f"{truth} → {answer}: {counted[row, column]}")
        for row, truth in enumerate(names)
        for column, answer in enumerate(names)
        if counted[row, column]
    ]
    middles, baselines = ([start + CELL * i for i in range(len(names))] for start in (LEFT + 11, TOP + 15))
    numbers = [
        _text(middles[column], baselines[row], str(counted[row, column]), "middle", row == column)
        for row, column in zip(*np.nonzero(counted >= LABELLED), strict=True)
    ]
    rows = [_text(LEFT - 6, y, name, "end") for y, name in zip(baselines, names, strict=True)]
    columns = [_text(x, TOP - 8, name.split()[0], "middle") for x, name in zip(middles, names, strict=True)]
    titles = [
        _text(LEFT, 20, "回答 answer →", "start"),
        _text(LEFT, 36, _LEGEND, "start"),
        _text(LEFT - 6, TOP - 8, "实际 truth ↓", "end"),
    ]
    frame = f'<rect x="{LEFT}" y="{TOP}" width="{side}" height="{side}" fill="none" stroke="#888"/>'
    width, height = LEFT + side + 20, TOP + side + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" font-family="sans-serif" font-size="10">'
        '<rect width="100%" height="100%" fill="white"/>'
        + "".join((*cells, *numbers, *rows, *columns, *titles, frame))
        + "</svg>"
    )


def _cell(row: int, column: int, share: float, title: str) -> str:
    tone = _DIAGONAL if row == column else _MISTAKE
    depth = share**0.5  # makes rare mistakes visible
    colour = ",".join(str(round(255 - (255 - part) * depth)) for part in tone)
    return (
        f'<rect x="{LEFT + CELL * column}" y="{TOP + CELL * row}" width="{CELL}" height="{CELL}" '
        f'fill="rgb({colour})"><title>{escape(title)}</title></rect>'
    )


def _text(x: int, y: int, text: str, anchor: str, light: bool = False) -> str:
    colour = ' fill="white"' if light else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{colour}>{escape(text)}</text>'

"""A confusion matrix as an SVG picture: rows are the truth, columns the answer, darker is more."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

CELL, LEFT, TOP = 22, 190, 60  # pixels
TOLD = 5  # counts from here on are written into their cells
_LEGEND = f"绿为答对，红为答错；越深占该行越多；数字为条数（{TOLD} 起）green: right, red: wrong; darker: more of a row"
_DIAGONAL, _MISTAKE = (31, 119, 80), (200, 40, 40)


def matrix(truth: NDArray[np.int16], answers: NDArray[np.int16]) -> tuple[list[int], NDArray[np.int64]]:
    """The codes that occur, ascending, and counts (truth, answer) of shape (codes, codes)."""
    codes = np.union1d(truth, answers)
    counted = np.zeros((len(codes), len(codes)), np.int64)
    np.add.at(counted, (np.searchsorted(codes, truth), np.searchsorted(codes, answers)), 1)
    return codes.tolist(), counted


def heat_map(names: Sequence[str], counted: NDArray[np.int64]) -> str:
    """SVG. A cell's shade is its share of its row; right answers are green, mistakes red. `names` begin with a code."""
    side = CELL * len(names)
    shares = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    cells = [
        _cell(row, column, float(shares[row, column]), f"{names[row]} → {names[column]}: {counted[row, column]}")
        for row, column in zip(*np.nonzero(counted), strict=True)
    ]
    told = [
        _text(LEFT + CELL * column + 11, TOP + CELL * row + 15, str(counted[row, column]), "middle", row == column)
        for row, column in zip(*np.nonzero(counted >= TOLD), strict=True)
    ]
    rows = [_text(LEFT - 6, TOP + CELL * i + 15, name, "end") for i, name in enumerate(names)]
    columns = [_text(LEFT + CELL * i + 11, TOP - 8, name.split()[0], "middle") for i, name in enumerate(names)]
    frame = f'<rect x="{LEFT}" y="{TOP}" width="{side}" height="{side}" fill="none" stroke="#888"/>'
    titles = [
        _text(LEFT, 20, "回答 answer →", "start"),
        _text(LEFT, 36, _LEGEND, "start"),
        _text(LEFT - 6, TOP - 8, "实际 truth ↓", "end"),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + side + 20} {TOP + side + 20}" '
        f'width="{LEFT + side + 20}" font-family="sans-serif" font-size="10">'
        '<rect width="100%" height="100%" fill="white"/>'
        + "".join((*cells, *told, *rows, *columns, *titles, frame))
        + "</svg>"
    )


def _cell(row: int, column: int, share: float, title: str) -> str:
    tone = _DIAGONAL if row == column else _MISTAKE
    depth = share**0.5  # so that rare mistakes can be seen
    colour = ",".join(str(round(255 - (255 - part) * depth)) for part in tone)
    return (
        f'<rect x="{LEFT + CELL * column}" y="{TOP + CELL * row}" width="{CELL}" height="{CELL}" '
        f'fill="rgb({colour})"><title>{escape(title)}</title></rect>'
    )


def _text(x: int, y: int, text: str, anchor: str, light: bool = False) -> str:
    colour = ' fill="white"' if light else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{colour}>{escape(text)}</text>'

"""CSV for spreadsheet programs: Chinese is readable, nothing is run as a formula, no digit is lost."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

BOM = "\ufeff".encode()  # without it, spreadsheet programs read UTF-8 in the code page of the machine

# Cells that a spreadsheet would run as a formula, or round as a number; and such cells already disarmed.
_UNSAFE = re.compile(r"'*(?:[=+\-@\t\r＝＋－＠]|\d{12,}$)")


def disarm(cell: str) -> str:
    """`cell` with an apostrophe in front if a spreadsheet would run it or round it; `rearm` takes it away.

    Source: OWASP, CSV Injection. Numbers of twelve and more digits are shown in scientific notation.
    """
    return f"'{cell}" if _UNSAFE.match(cell) else cell


def rearm(cell: str) -> str:
    """The cell that `disarm` was given."""
    return cell[1:] if cell.startswith("'") and _UNSAFE.match(cell[1:]) else cell


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Lines of a CSV file in UTF-8, after `BOM`. Text is disarmed, numbers stay numbers, None is empty."""
    yield BOM
    for row in rows:
        line = io.StringIO(newline="")
        csv.writer(line).writerow([_cell(value) for value in row])
        yield line.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return text if is_number and len(text.lstrip("-")) < 12 else disarm(text)

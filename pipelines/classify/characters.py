"""The character folding table: maps each code point of the Basic Multilingual Plane to a symbol.

Training and prediction use the same rules:

- Full-width letters and digits become ASCII (NFKC if it yields one character); letters become lower
  case.
- Every decimal digit becomes `0`; the kernel reads a run of digits as one `0`, because house numbers
  and dates do not depend on the type.
- Traditional characters become simplified ones (`traditional.txt`): both spellings share features.
- Space and punctuation become `BREAK`, which ends a token and is not a feature.
- Control, format and combining marks (right-to-left marks, joiners, variation selectors, BOM) become
  `SKIP`, which is ignored.
- An invalid UTF-8 byte becomes U+FFFD. Code points above U+FFFF (emoji, rare characters) stay as
  they are.
"""

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SKIP = 0
BREAK = 1
DIGIT = ord("0")
REPLACEMENT = 0xFFFD
_TRADITIONAL = Path(__file__).with_name("traditional.txt")


def _fold(character: str) -> int:
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Mn", "Me", "Cs"):
        return BREAK if character in "\t\n\r\v\f\x85" else SKIP
    if category == "Nd":
        return DIGIT
    if category[0] in "ZP":
        return BREAK
    plain = unicodedata.normalize("NFKC", character).lower()
    if plain != character and len(plain) == 1 and ord(plain) < 0x10000:
        return _fold(plain)
    return ord(character)


def simplified() -> dict[str, str]:
    """Traditional to simplified characters, one to one. `traditional.txt` holds pairs; `#` starts a
    comment line.
    """
    lines = _TRADITIONAL.read_text("utf-8").splitlines()
    return {pair[0]: pair[1] for line in lines if not line.startswith("#") for pair in line.split()}


@lru_cache(maxsize=1)
def fold_table() -> NDArray[np.uint16]:
    """The table, uint16 of shape (65536,), read-only, computed once per process (about 0.1 s)."""
    table = np.array([_fold(chr(code)) for code in range(0x10000)], dtype=np.uint16)
    table[REPLACEMENT] = REPLACEMENT
    spelling = np.arange(0x10000, dtype=np.uint16)
    for traditional, simple in simplified().items():
        spelling[ord(traditional)] = ord(simple)
    table = spelling[table]
    table.flags.writeable = False
    return table

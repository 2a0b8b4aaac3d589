"""How numbers are spelled: digits of all scripts, invisible characters, and numerals in long runs, as ASCII digits."""

import re
import sys
import unicodedata

NUMERALS = dict(zip("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两", "001234567891123456789" + "2", strict=True))
_FULL_WIDTH = {chr(0xFEE0 + ord(c)): c for c in map(chr, range(0x21, 0x7F)) if c.isalnum() or c in "@.+-/~#"}
_ALL = [chr(code) for code in range(128, sys.maxunicode + 1)]
_DIGITS = {c: str(unicodedata.decimal(c)) for c in _ALL if unicodedata.decimal(c, None) is not None}
# ①, ⑴, ⒈, ❶, ² stand for digits in long runs only: elsewhere they number a list, or are a power.
_ENCLOSED = {c: str(unicodedata.digit(c)) for c in _ALL if c not in _DIGITS and unicodedata.digit(c, None) is not None}
# Characters that are not seen: formats (zero width, BOM, soft hyphen, bidirectional marks), variation selectors,
# combining marks, and blanks that Unicode counts as letters.
_INVISIBLE = {
    c for c in _ALL if unicodedata.category(c) in ("Cf", "Me") or "VARIATION SELECTOR" in unicodedata.name(c, "")
}
_INVISIBLE |= {*map(chr, range(0x300, 0x370)), *"\u115f\u1160\u3164\uffa0\u2800"}


def character_class(characters: set[str]) -> str:
    """The inside of a class of a regular expression, as ranges; for `re` and for RE2."""
    ranges: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{_escaped(first)}-{_escaped(last)}" for first, last in ranges)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else chr(code)


_FOLDED = {**_DIGITS, **_FULL_WIDTH, **dict.fromkeys(_INVISIBLE, "")}
_FOLDS = str.maketrans(_FOLDED)
# Other spellings than ASCII, for a quick check in RE2.
FOLDED_CLASS = character_class(set(_FOLDED))
_HAS_FOLDED = re.compile(f"[{FOLDED_CLASS}]")
# Between the groups of a number, as people and forms write them; line breaks and other control characters too.
SEPARATORS = (
    r" .·/~_\-\x00-\x1f\x7f-\xa0"
    + character_class({*"•‧∙・･˙‐‑‒–—―−⁃╱∕⁄～〜∼＿　", *map(chr, range(0x2000, 0x200B))})
    + "\u2028\u2029\u202f\u205f"
)
RUN_CLASS = character_class({*NUMERALS, *_ENCLOSED})
_S = f"[{SEPARATORS}]?"
_RUN = re.compile(
    rf"[{RUN_CLASS}](?:{_S}[{RUN_CLASS}]){{9,}}|(?<![{RUN_CLASS}0-9])(?:[{RUN_CLASS}0-9]{_S}){{10}}[{RUN_CLASS}0-9](?![{RUN_CLASS}0-9])"
)
_NEAR_RUN = re.compile(rf"[{RUN_CLASS}](?:{_S}[{RUN_CLASS}0-9]|(?<=[0-9].))")  # fast, since it starts with a class
_RUN_FOLDS = str.maketrans({**NUMERALS, **_ENCLOSED})


def folded(text: str) -> str:
    """`text` with every spelling of a digit that can be part of a number of a person as an ASCII digit, full-width
    letters as ASCII ones, and without invisible characters."""
    if text.isascii():
        return text
    if _HAS_FOLDED.search(text):
        text = text.translate(_FOLDS)
    return _RUN.sub(lambda match: match[0].translate(_RUN_FOLDS), text) if _NEAR_RUN.search(text) else text

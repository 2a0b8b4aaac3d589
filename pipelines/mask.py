"""Personal data out of text before any store, log or document sees it.

Numbers of people are replaced by what they were: `[手机号]`, `[身份证号]` … A reporter becomes a keyed
hash: the same reporter can be counted, nobody can be named.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# No letter, digit or hyphen may touch a number: ids, codes and UUIDs are not telephone numbers.
_BEFORE, _AFTER = r"(?<![0-9A-Za-z_-])", r"(?![0-9A-Za-z_-])"
_SEPARATOR = r"[ -]?"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"

# Longest numbers first: an ID-card number holds what looks like a telephone number.
PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "身份证号",
        re.compile(rf"{_BEFORE}[1-9]\d{{5}}(?:18|19|20)\d{{2}}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{{3}}[\dXx]{_AFTER}"),
    ),
    ("银行卡号", re.compile(rf"{_BEFORE}[3-6]\d{{3}}(?:{_SEPARATOR}\d{{4}}){{3}}(?:{_SEPARATOR}\d{{1,3}})?{_AFTER}")),
    ("手机号", re.compile(rf"(?<![0-9])(?:\+?86{_SEPARATOR})?1[3-9]\d{_SEPARATOR}\d{{4}}{_SEPARATOR}\d{{4}}(?![0-9])")),
    ("固定电话", re.compile(rf"{_BEFORE}0\d{{2,3}}{_SEPARATOR}[2-9]\d{{6,7}}{_AFTER}")),
    (
        "车牌号",
        re.compile(
            rf"[{_PROVINCES}][A-HJ-NP-Z][·• ]?(?:[A-HJ-NP-Z0-9]{{5,6}}|[A-HJ-NP-Z0-9]{{4}}[警学挂港澳]){_AFTER}"
        ),
    ),
    ("邮箱", re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")),
)

# Cheap and vectorised (RE2): whatever a pattern matches holds one of these, and most rows hold none. Seven digits in
# all, not four: years and house numbers are in a third of all texts (masking measured 2.3 times as fast so).
_CANDIDATE = rf"[0-9]{{7}}|[0-9]{{3,4}}[ -][0-9]{{4}}|@|[{_PROVINCES}][A-HJ-NP-Z]|[０-９]"

# Full-width digits and letters read like ASCII ones, and are masked like them.
_FULL_WIDTH = str.maketrans({0xFF01 + i: 0x21 + i for i in range(94)})
_HAS_FULL_WIDTH = re.compile("[０-９]")


def mask(text: str) -> str:
    """`text` with every personal number replaced by its kind in brackets."""
    folded = masked = text.translate(_FULL_WIDTH) if _HAS_FULL_WIDTH.search(text) else text
    for kind, pattern in PATTERNS:
        masked = pattern.sub(f"[{kind}]", masked)
    return text if masked == folded else masked


def mask_column(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """`mask` on each non-null value of a string column of any length."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    candidates = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(column, _CANDIDATE), False))
    if not len(candidates):
        return column
    masked = pa.array([mask(text) for text in column.take(candidates).to_pylist()], column.type)
    chosen = pc.is_in(pa.array(range(len(column)), pa.uint64()), candidates)
    return pc.replace_with_mask(column, chosen, masked)


def reporter_hasher(key: bytes) -> Callable[[str | None], str]:
    """A function from a reporter to a 128-bit keyed BLAKE2b hash in hex; no reporter gives ''."""

    def digest(reporter: str | None) -> str:
        if not reporter:
            return ""
        return hashlib.blake2b(reporter.encode("utf-8", "surrogatepass"), digest_size=16, key=key).hexdigest()

    return digest


def mask_document(value: Any, hasher: Callable[[str | None], str]) -> Any:
    """A JSON value with every string masked and `reporter`, wherever it stands, hashed."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [mask_document(item, hasher) for item in value]
    if isinstance(value, dict):
        return {
            mask(name): hasher(str(item)) if name == "reporter" and item is not None else mask_document(item, hasher)
            for name, item in value.items()
        }
    return value

"""Personal data out of text before any store, log or document sees it.

Numbers of people, plates, addresses and names beside a title or a label are replaced by what they were: `[手机号]`,
`[姓名]女士` … A reporter becomes a keyed hash: the same reporter can be counted, nobody can be named.
"""

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipelines.errors import UserFault
from pipelines.privacy import patterns as personal
from pipelines.privacy.patterns import Pattern
from schemas.contract import v1

Hasher = Callable[[str | None], str]
UUID = re.compile(v1.UUID)
_Counts: TypeAlias = Counter[str] | None
_Change: TypeAlias = Callable[[str, _Counts], str]

# Full-width digits, letters and @ read like ASCII ones, and are masked like them; punctuation stays.
_WIDE = "０-９Ａ-Ｚａ-ｚ＠．＋－"
_FULL_WIDTH = str.maketrans(
    {chr(0xFEE0 + ord(c)): c for c in map(chr, range(0x21, 0x7F)) if c.isalnum() or c in "@.+-"}
)
_HAS_FULL_WIDTH = re.compile(f"[{_WIDE}]")

# Cheap and vectorised (RE2): whatever a pattern changes holds one of these, and most rows hold none.
_CANDIDATE = rf"{personal.QUICK_NUMBER}|[@{_WIDE}]|{personal.QUICK_PLATE}|{personal.QUICK_NAME}"
# The same looks one by one: which groups of patterns a single text needs.
_TEN_DIGITS = re.compile(r"(?:[0-9][^0-9]{0,2}){9}[0-9]|" + personal.QUICK_LOCAL)
_PLATE_START = re.compile(personal.QUICK_PLATE)
_TEN_DIGIT_NUMBER = 10**9
_CONTEXT = 16  # characters before a number that its patterns may look at
_NAME_FIELD = r'(?i)"[^"]*(?:name|contact|caller|person|owner|reporter)[^"]*"\s*:'


@dataclass(frozen=True)
class Masker:
    """Masks by the patterns of `pipelines.privacy.patterns` and by `extras`: pairs of (name, regular expression)."""

    extras: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def _own(self) -> tuple[Pattern, ...]:
        return tuple(Pattern(name, re.compile(regex)) for name, regex in self.extras)

    @functools.cached_property
    def _key(self) -> Callable[[str], str]:
        return functools.lru_cache(4096)(self.mask)

    def mask(self, text: str, counts: Counter[str] | None = None) -> str:
        """`text` with everything personal replaced by its kind in brackets; `counts` gains how many of each kind."""
        masked = folded = text if text.isascii() else _folded(text)
        if not text.isascii():
            masked = _chinese(masked, counts)
        if first := _TEN_DIGITS.search(masked):
            masked = _numbers(masked, max(first.start() - _CONTEXT, 0), counts)
        if "@" in masked:
            masked = _apply((personal.MAIL,), masked, counts)
        masked = _apply(self._own, masked, counts)
        return text if masked == folded else masked

    def column(self, texts: pa.ChunkedArray | pa.Array, counts: Counter[str] | None = None) -> pa.Array:
        """`mask` on each non-null value of a string column of any length."""
        return self._column(texts, self.mask, _CANDIDATE, counts)

    def json_column(self, texts: pa.ChunkedArray | pa.Array, hasher: Hasher, counts: Counter[str] | None = None) -> Any:
        """`document` on each value of a column of JSON objects, which stay JSON; '' stays ''."""
        return self._column(
            texts, lambda text, found: self.json(text, hasher, found), f"{_CANDIDATE}|{_NAME_FIELD}", counts
        )

    def json(self, text: str, hasher: Hasher, counts: Counter[str] | None = None) -> str:
        """A JSON text with its values masked; what is no JSON is masked as text."""
        try:
            read = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return self.mask(text, counts)
        masked = self.document(read, hasher, counts)
        return text if masked == read else msgspec.json.encode(masked).decode()

    def document(self, value: Any, hasher: Hasher, counts: Counter[str] | None = None) -> Any:
        """A JSON value with every string and whole number masked, and `reporter`, wherever it stands, hashed."""
        if isinstance(value, str):
            return self.mask(value, counts)
        if isinstance(value, int) and abs(value) >= _TEN_DIGIT_NUMBER:
            masked = self.mask(str(value), counts)
            return value if masked == str(value) else masked
        if isinstance(value, list):
            return [self.document(item, hasher, counts) for item in value]
        if isinstance(value, dict):
            return {self._key(name): self._field(name, item, hasher, counts) for name, item in value.items()}
        return value

    def _field(self, name: str, item: Any, hasher: Hasher, counts: Counter[str] | None) -> Any:
        if name == "reporter" and item is not None:
            return hasher(str(item))
        if name == "event_id" and isinstance(item, str) and UUID.fullmatch(item):
            return item  # one in 600 looks as if it held a telephone number, and without it nothing can be sent again
        if isinstance(item, str) and _is_person(name, item):
            if counts is not None:
                counts["姓名"] += 1
            return "[姓名]"
        return self.document(item, hasher, counts)

    def _column(self, texts: pa.ChunkedArray | pa.Array, change: _Change, quick: str, counts: _Counts) -> pa.Array:
        column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        looked = pc.match_substring_regex(column, quick) if not self.extras else pc.is_valid(column)
        candidates = pc.indices_nonzero(pc.fill_null(looked, False))
        if not len(candidates):
            return column
        looked_at = column.take(candidates).to_pylist()
        once = _each_once(looked_at, change, counts)
        masked = pa.array([once[text] for text in looked_at], column.type)
        chosen = pc.is_in(pa.array(range(len(column)), pa.uint64()), candidates)
        return pc.replace_with_mask(column, chosen, masked)


def _each_once(texts: list[str], change: _Change, counts: _Counts) -> dict[str, str]:
    """Every distinct text changed; a report's every step repeats it. `counts` gains what each occurrence held."""
    if counts is None:
        return {text: change(text, None) for text in set(texts)}
    changed: dict[str, str] = {}
    found: Counter[str] = Counter()
    for text, times in Counter(texts).items():
        changed[text] = change(text, found)
        if found:
            for kind, number in found.items():
                counts[kind] += number * times
            found.clear()
    return changed


def _folded(text: str) -> str:
    return text.translate(_FULL_WIDTH) if _HAS_FULL_WIDTH.search(text) else text


def _chinese(text: str, counts: Counter[str] | None) -> str:
    """Plates and names, which hold Chinese characters."""
    if _PLATE_START.search(text):
        text = _apply((personal.PLATE,), text, counts)
    if personal.TITLE.search(text):
        text = _apply((personal.TITLED,), text, counts)
    return _apply(personal.NAMES, text, counts)


def _apply(patterns: Iterable[Pattern], text: str, counts: Counter[str] | None) -> str:
    for kind, regex, replace in patterns:
        before = text
        text = regex.sub(replace or f"[{kind}]", text)
        if counts is not None and text != before:
            counts[kind] += max(text.count(f"[{kind}]") - before.count(f"[{kind}]"), 1)
    return text


def _numbers(text: str, start: int, counts: Counter[str] | None) -> str:
    """Numbers from `start` on, where the first one can be; and names beside telephone numbers."""
    tail = text[start:]
    masked = _apply(personal.NUMBERS, tail, counts)
    if masked == tail:
        return text
    return _apply((personal.BESIDE_NUMBER,), text[:start] + masked, counts)


def _is_person(field: str, value: str) -> bool:
    return bool(personal.PERSON_NAME.fullmatch(value) and personal.NAME_FIELD.fullmatch(field.lower()))


_PLAIN = Masker()
mask = _PLAIN.mask


@functools.lru_cache(maxsize=8)
def masker(extras: tuple[tuple[str, str], ...] = ()) -> Masker:
    """The masker of these extra patterns, made once."""
    return Masker(extras) if extras else _PLAIN


def read_patterns(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Extra patterns of a YAML file: a list of {name, regex}; none without a file.

    Raises:
        UserFault: the file cannot be read, an entry is no such pair, a regular expression is wrong or matches nothing.
    """
    if path is None:
        return ()
    try:
        entries = yaml.safe_load(path.read_text("utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserFault(f"mask patterns {path}: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise UserFault(f"mask patterns {path}: must be a list of entries with `name` and `regex`")
    return tuple(_pattern(path, number, entry) for number, entry in enumerate(entries, 1))


def _pattern(path: Path, number: int, entry: Any) -> tuple[str, str]:
    where = f"mask patterns {path}, entry {number}"
    if (
        not isinstance(entry, dict)
        or set(entry) != {"name", "regex"}
        or not all(isinstance(v, str) for v in entry.values())
    ):
        raise UserFault(f"{where}: must have `name` and `regex`, both text, and nothing else")
    try:
        matches_nothing = re.compile(entry["regex"]).search("") is not None
    except re.error as error:
        raise UserFault(f"{where} ({entry['name']}): {entry['regex']!r} is no regular expression: {error}") from None
    if matches_nothing or not entry["name"].strip():
        raise UserFault(f"{where} ({entry['name']}): the name is empty, or the expression matches the empty text")
    return entry["name"], entry["regex"]


def reporter_hasher(key: bytes) -> Hasher:
    """A function from a reporter to a 128-bit keyed BLAKE2b hash in hex; no reporter gives ''."""

    def digest(reporter: str | None) -> str:
        if not reporter:
            return ""
        return hashlib.blake2b(reporter.encode("utf-8", "surrogatepass"), digest_size=16, key=key).hexdigest()

    return digest

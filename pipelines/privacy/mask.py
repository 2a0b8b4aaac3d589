"""Remove personal data from texts before they are stored, logged or printed.

Numbers of people, plates, mail addresses, and names next to a title or a label are replaced by
their kind: `[手机号]`, `[姓名]女士` … A reporter is replaced by a keyed hash: reports of the same reporter
can be counted, but the reporter cannot be identified.
"""

import functools
import math
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
from pipelines.privacy import identifiers, people
from pipelines.privacy import patterns as personal
from pipelines.privacy.depth import MASKED_DEPTH, deeper_than
from pipelines.privacy.hashes import Hasher
from pipelines.privacy.patterns import Pattern
from pipelines.privacy.spelling import FOLDED_CLASS, folded
from schemas.contract import v1

UUID = re.compile(v1.UUID)
_Counts: TypeAlias = Counter[str] | None
_Change: TypeAlias = Callable[[str, _Counts], str]

# Fast and vectorised (RE2): each text that a pattern changes matches this, and most rows do not.
_OTHERS = "|".join(
    (
        *(f"[@{FOLDED_CLASS}]", personal.QUICK_PLATE),
        *(people.QUICK_NAME, people.QUICK_ACTING, identifiers.QUICK_ACCOUNT, identifiers.QUICK_ROOM),
    )
)
_CANDIDATE, _ID_CANDIDATE = f"{personal.QUICK_NUMBER}|{_OTHERS}", f"{personal.QUICK_ID_NUMBER}|{_OTHERS}"
# The same for a single text: which groups of patterns it needs.
_TEN_DIGITS = re.compile(r"(?:[0-9][^0-9]{0,2}){9}[0-9]|" + personal.QUICK_LOCAL)
# These start with a class, which `re` searches fast.
_ACCOUNT, _ROOM = re.compile(identifiers.NEAR_ACCOUNT), re.compile(identifiers.NEAR_ROOM)
_ACTING = re.compile(people.QUICK_ACTING)
_PLATE_START = re.compile(personal.QUICK_PLATE)
_TEN_DIGIT_NUMBER = 10**9
_ID_LENGTH = 64  # the most that the contract allows
_HASH_DIGITS = 16  # of 64 bits: two of a billion ids are equal with a probability of 3 %
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # digits could look like a telephone number
_CONTEXT = 16  # characters before a number that its patterns look at
_NAME_FIELD = r'(?i)"[^"]*(?:name|contact|caller|person|owner|reporter)[^"]*"\s*:'


@dataclass(frozen=True)
class Masker:
    """Masks by the patterns of `pipelines.privacy.patterns` and by `extras`: pairs of kind and
    regular expression."""

    extras: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def _extra_patterns(self) -> tuple[Pattern, ...]:
        return tuple(Pattern(kind, re.compile(regex)) for kind, regex in self.extras)

    @functools.cached_property
    def _mask_name(self) -> Callable[[str], str]:
        """`mask` for the names of fields, which repeat."""
        return functools.lru_cache(4096)(self.mask)

    def mask(self, text: str, counts: Counter[str] | None = None) -> str:
        """`text` with personal data replaced by its kind in brackets. `counts`: the number of each
        kind is added."""
        masked = spelled = folded(text)
        if not text.isascii():
            masked = _chinese(masked, counts)
        if first := _TEN_DIGITS.search(masked):
            masked = _numbers(masked, max(first.start() - _CONTEXT, 0), counts)
        if _ACCOUNT.search(masked):
            masked = _apply(identifiers.ACCOUNTS, masked, counts)
        if _ROOM.search(masked):
            masked = _apply(identifiers.ROOMS, masked, counts)
        if "@" in masked:
            masked = _apply((personal.MAIL,), masked, counts)
        masked = _apply(self._extra_patterns, masked, counts)
        return text if masked == spelled else masked

    def column(self, texts: pa.ChunkedArray | pa.Array, counts: Counter[str] | None = None) -> pa.Array:
        """`mask` on each non-null value of a string column of any length."""
        return self._column(texts, self.mask, _CANDIDATE, counts)

    def identity(self, text: str, hasher: Hasher, counts: Counter[str] | None = None) -> str:
        """`text`, an id, masked; if that changes it, with a keyed hash, so that the ids of two reports stay different
        and those of one report equal. Not longer than an id may be."""
        masked = self.mask(text, counts)
        if masked == text:
            return text
        digits = hasher(f"report_id:{text}")[:_HASH_DIGITS].translate(_LETTERS)
        return f"{masked[: _ID_LENGTH - len(digits) - 1]}~{digits}"

    def identity_column(
        self, texts: pa.ChunkedArray | pa.Array, hasher: Hasher, counts: Counter[str] | None = None
    ) -> pa.Array:
        """`identity` on each non-null value of a column of ids."""
        return self._column(texts, lambda text, kinds: self.identity(text, hasher, kinds), _ID_CANDIDATE, counts)

    def json_column(self, texts: pa.ChunkedArray | pa.Array, hasher: Hasher, counts: Counter[str] | None = None) -> Any:
        """`json` on each value of a column of JSON objects; '' stays ''."""
        return self._column(
            texts, lambda text, kinds: self.json(text, hasher, kinds), f"{_CANDIDATE}|{_NAME_FIELD}", counts
        )

    def json(self, text: str, hasher: Hasher, counts: Counter[str] | None = None) -> str:
        """A JSON text with its values masked; a text that is not JSON, or nested too deeply, is masked as text."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return self.mask(text, counts)
        if deeper_than(value, MASKED_DEPTH):
            return self.mask(text, counts)
        masked = self.document(value, hasher, counts)
        return text if masked == value else msgspec.json.encode(masked).decode()

    def document(self, value: Any, hasher: Hasher, counts: Counter[str] | None = None) -> Any:
        """A JSON value with all strings and whole numbers masked, `reporter`, at any depth, hashed, and `report_id` as
        by `identity`."""
        if isinstance(value, str):
            return self.mask(value, counts)
        if self._may_be_personal(value):
            digits = str(int(value))  # a telephone number may come as 13800138000.0
            masked = self.mask(digits, counts)
            return value if masked == digits else masked
        if isinstance(value, list):
            return [self.document(item, hasher, counts) for item in value]
        if isinstance(value, dict):
            return {self._mask_name(name): self._field(name, item, hasher, counts) for name, item in value.items()}
        return value

    def _may_be_personal(self, value: Any) -> bool:
        """Whether `value` is a whole number that a pattern could match."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.extras or abs(value) >= _TEN_DIGIT_NUMBER) and math.isfinite(value) and value == int(value)

    def _field(self, name: str, item: Any, hasher: Hasher, counts: Counter[str] | None) -> Any:
        if name == "reporter" and item is not None:
            return hasher(str(item))
        if name == "report_id" and isinstance(item, str | int):
            masked = self.identity(str(item), hasher, counts)
            return item if masked == str(item) else masked
        if name == "event_id" and isinstance(item, str) and UUID.fullmatch(item):
            return item  # 1 in 600 looks like a telephone number, and a message without its id cannot be replayed
        if isinstance(item, str) and _is_person(name, item):
            if counts is not None:
                counts["姓名"] += 1
            return "[姓名]"
        return self.document(item, hasher, counts)

    def _column(self, texts: pa.ChunkedArray | pa.Array, change: _Change, quick: str, counts: _Counts) -> pa.Array:
        """`change` on the values that match `quick`; on all where there are extra patterns, which
        it does not cover."""
        column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        matches = pc.match_substring_regex(column, quick) if not self.extras else pc.is_valid(column)
        rows = pc.indices_nonzero(pc.fill_null(matches, False))
        if not len(rows):
            return column
        candidates = column.take(rows).to_pylist()
        changed = _change_distinct(candidates, change, counts)
        masked = pa.array([changed[text] for text in candidates], column.type)
        is_candidate = pc.is_in(pa.array(range(len(column)), pa.uint64()), rows)
        return pc.replace_with_mask(column, is_candidate, masked)


def _change_distinct(texts: list[str], change: _Change, counts: _Counts) -> dict[str, str]:
    """Each distinct text, changed: all messages of a report repeat its text. `counts`: each
    occurrence is counted."""
    if counts is None:
        return {text: change(text, None) for text in set(texts)}
    changed: dict[str, str] = {}
    kinds: Counter[str] = Counter()  # of one text; reused, because most texts have none
    for text, occurrences in Counter(texts).items():
        changed[text] = change(text, kinds)
        if kinds:
            for kind, number in kinds.items():
                counts[kind] += number * occurrences
            kinds.clear()
    return changed


def _chinese(text: str, counts: Counter[str] | None) -> str:
    """Mask plates and names, which contain Chinese characters."""
    if _PLATE_START.search(text):
        text = _apply((personal.PLATE,), text, counts)
    if people.TITLE.search(text):
        text = _apply((people.TITLED,), text, counts)
    text = _apply(people.NAMES, text, counts)
    return _apply(people.ACTING, text, counts) if _ACTING.search(text) else text


def _apply(patterns: Iterable[Pattern], text: str, counts: Counter[str] | None) -> str:
    for kind, regex, replace in patterns:
        before = text
        text = regex.sub(replace or f"[{kind}]", text)
        if counts is not None and text != before:
            counts[kind] += max(text.count(f"[{kind}]") - before.count(f"[{kind}]"), 1)
    return text


def _numbers(text: str, start: int, counts: Counter[str] | None) -> str:
    """Mask numbers from `start` on, where the first one can be, and names next to telephone
    numbers."""
    tail = text[start:]
    masked = _apply(personal.NUMBERS, tail, counts)
    if masked == tail:
        return text
    return _apply((people.NAME_NEXT_TO_NUMBER,), text[:start] + masked, counts)


def _is_person(field: str, value: str) -> bool:
    return bool(people.PERSON_NAME.fullmatch(value) and people.NAME_FIELD.fullmatch(field.lower()))


_PLAIN = Masker()
mask = _PLAIN.mask


@functools.lru_cache(maxsize=8)
def masker(extras: tuple[tuple[str, str], ...] = ()) -> Masker:
    """The masker with these extra patterns, cached."""
    return Masker(extras) if extras else _PLAIN


def read_patterns(path: Path | None) -> tuple[tuple[str, str], ...]:
    """The extra patterns in a YAML file: a list of {name, regex}; none if `path` is None.

    Raises:
        UserFault: the file cannot be read, an entry is malformed, or a regular expression is wrong
            or matches the empty text.
    """
    if path is None:
        return ()
    try:
        entries = yaml.safe_load(path.read_text("utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserFault(f"脱敏规则无法读取 mask patterns {path} cannot be read: {reason}") from None
    if not isinstance(entries, list):
        raise UserFault(f"脱敏规则须为列表 mask patterns {path}: must be a list of entries with `name` and `regex`")
    return tuple(_pattern(path, number, entry) for number, entry in enumerate(entries, 1))


def _pattern(path: Path, number: int, entry: Any) -> tuple[str, str]:
    where = f"脱敏规则 mask patterns {path}, 第 {number} 条 entry {number}"
    if (
        not isinstance(entry, dict)
        or set(entry) != {"name", "regex"}
        or not all(isinstance(v, str) for v in entry.values())
    ):
        raise UserFault(
            f"{where}: 只能有 `name` 与 `regex`，均为文本 must have `name` and `regex`, both text, and nothing else"
        )
    try:
        matches_empty = re.compile(entry["regex"]).search("") is not None
    except re.error as error:
        raise UserFault(
            f"{where} ({entry['name']}): 正则有误 {entry['regex']!r} is not a regular expression: {error}"
        ) from None
    if matches_empty or not entry["name"].strip():
        raise UserFault(
            f"{where} ({entry['name']}): 名称为空或匹配空文本 the name is empty, or the regex matches the empty text"
        )
    return entry["name"], entry["regex"]

"""The taxonomy: the 33 types of a report, read from `event_types.yaml` and checked."""

import hashlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

PATH = Path(__file__).with_name("event_types.yaml")
OTHER = 999  # the code of the type for what fits no other

Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")]
# At most a quarter of a year: no task of a hotline may take longer.
Hours = Annotated[int, Meta(ge=1, le=2160)]


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A type in the file."""

    code: Annotated[int, Meta(ge=100, le=999)]
    zh: Name
    en: Name
    covers: Annotated[str, Meta(min_length=1)]
    limit_hours: Hours
    severity: Annotated[int, Meta(ge=1, le=4)]
    examples: Annotated[tuple[Annotated[str, Meta(min_length=4, max_length=4000)], ...], Meta(min_length=3)]


class _Group(Struct, frozen=True, forbid_unknown_fields=True):
    zh: Name
    en: Name
    types: Annotated[tuple[_Entry, ...], Meta(min_length=1)]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    groups: Annotated[tuple[_Group, ...], Meta(min_length=1)]


class EventType(Struct, frozen=True):
    """An event type. `limit_hours`: handling limit in calendar hours; `severity`: default, 1..4."""

    code: int
    group: str
    group_en: str
    zh: str
    en: str
    covers: str
    limit_hours: int
    severity: int
    examples: tuple[str, ...]


@cache
def known_codes() -> frozenset[int]:
    """The codes of all types."""
    return frozenset(kind.code for kind in event_types())


@cache
def event_types() -> tuple[EventType, ...]:
    """All types, ordered by code."""
    return parse(PATH.read_bytes(), PATH.name)


@cache
def _by_code() -> dict[int, EventType]:
    return {kind.code: kind for kind in event_types()}


def event_type(code: int) -> EventType:
    """The type with this code.

    Raises:
        KeyError: no type has it.
    """
    return _by_code()[code]


@cache
def taxonomy_fingerprint(kinds: tuple[EventType, ...] | None = None) -> str:
    """A hash of codes and names, 16 hex digits. A model trained with another fingerprint is refused."""
    kinds = event_types() if kinds is None else kinds
    lines = "\n".join(f"{kind.code}|{kind.group}|{kind.zh}|{kind.en}" for kind in kinds)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def parse(content: bytes, name: str = PATH.name) -> tuple[EventType, ...]:
    """The types of a taxonomy file, ordered by code; `name` is only for error texts.

    Raises:
        ValueError: not YAML, a field missing, unknown or out of range, a code or a name used twice.
    """
    try:
        file = msgspec.yaml.decode(content, type=_File)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from error
    kinds = [
        EventType(group=group.zh, group_en=group.en, **msgspec.structs.asdict(entry))
        for group in file.groups
        for entry in group.types
    ]
    for label in ("code", "zh", "en"):
        _no_duplicates(name, label, [str(getattr(kind, label)) for kind in kinds])
    _no_duplicates(name, "example", [example for kind in kinds for example in kind.examples])
    return tuple(sorted(kinds, key=lambda kind: kind.code))


def _no_duplicates(name: str, label: str, values: list[str]) -> None:
    twice = sorted(value for value, times in Counter(values).items() if times > 1)
    if twice:
        raise ValueError(f"{name}: {label} used twice: {', '.join(twice)}")

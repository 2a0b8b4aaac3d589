"""Crosswalks: the event type of each category of a source.

A message has the category of its source as `source_type` = "<system>/<main>" or "<system>/<main>/<sub>", at most 64
characters. The categories of a new source are a YAML file in this folder.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.event_types import OTHER, known_codes

FOLDER = Path(__file__).parent
MAX_SOURCE_TYPE = 64  # contract v1, field source_type

_Type = Annotated[int, Meta(ge=100, le=999)]
_Name = Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE_TYPE, pattern="^[^/]+$")]


class _Main(Struct, frozen=True, forbid_unknown_fields=True):
    to: _Type
    sub: dict[_Name, _Type] = {}


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    system: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{1,15}$")]
    zh: str
    en: str
    unmapped: _Type | Literal["model"]
    types: dict[_Name, _Main] = {}
    identity: bool = False


class Crosswalk(Struct, frozen=True):
    """The categories of a system.

    unmapped: the type of a category that is not listed; None leaves it to the classifier. types: code by source_type.
    """

    system: str
    zh: str
    en: str
    unmapped: int | None
    types: dict[str, int]

    def knows(self, source_type: str) -> bool:
        """Whether the category, or the main category above it, is listed."""
        return self._listed(source_type) is not None

    def map(self, source_type: str) -> int | None:
        """The type of the sub-category, else of the main category, else `unmapped`."""
        listed = self._listed(source_type)
        return self.unmapped if listed is None else listed

    def _listed(self, source_type: str) -> int | None:
        main = "/".join(source_type.split("/")[:2])
        return self.types.get(source_type, self.types.get(main))


@cache
def crosswalks() -> Mapping[str, Crosswalk]:
    """All crosswalks by system."""
    loaded = (parse(path.read_bytes(), path.name) for path in sorted(FOLDER.glob("*.yaml")))
    return {listed.system: listed for listed in loaded}


def crosswalk(system: str) -> Crosswalk:
    """The crosswalk of a system.

    Raises:
        KeyError: no file is for this system.
    """
    return crosswalks()[system]


@lru_cache(maxsize=65_536)
def lookup(source_type: str) -> int | None:
    """The type that a crosswalk gives to `source_type`.

    None if the classifier has to decide: the system is unknown, or its crosswalk leaves the category to the classifier.
    """
    listed = crosswalks().get(source_type.split("/", 1)[0]) if "/" in source_type else None
    return listed.map(source_type) if listed else None


def source_type_of(system: str, main: str, sub: str = "") -> str:
    """The source_type of a category in the contract. A sub-category that does not fit is left out."""
    whole = f"{system}/{main}/{sub}" if sub else f"{system}/{main}"
    return whole if len(whole) <= MAX_SOURCE_TYPE else f"{system}/{main}"[:MAX_SOURCE_TYPE]


def parse(content: bytes, name: str) -> Crosswalk:
    """The crosswalk in a file's bytes; `name` is only for error texts.

    Raises:
        ValueError: not YAML, a field missing or unknown, a type that does not exist, a name too long.
    """
    try:
        file = msgspec.yaml.decode(content, type=_File)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {error}") from error
    codes = known_codes()
    types = {f"{file.system}/{code}": code for code in codes} if file.identity else {}
    for main, entry in file.types.items():
        types[f"{file.system}/{main}"] = entry.to
        types |= {f"{file.system}/{main}/{sub}": code for sub, code in entry.sub.items()}
    unmapped = None if file.unmapped == "model" else file.unmapped
    _check(name, types, codes, unmapped)
    return Crosswalk(file.system, file.zh, file.en, unmapped, types)


def _check(name: str, types: Mapping[str, int], codes: frozenset[int], unmapped: int | None) -> None:
    unknown = sorted({*types.values(), unmapped or OTHER} - codes)
    if unknown:
        raise ValueError(f"{name}: no such event type: {unknown}")
    too_long = [key for key in types if len(key) > MAX_SOURCE_TYPE]
    if too_long:
        raise ValueError(f"{name}: longer than {MAX_SOURCE_TYPE} characters: {too_long[0]}")

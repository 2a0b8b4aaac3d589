"""Where messages may come from: the closed list of `sources.yaml`, checked."""

from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from schemas.keyed_lists import by_id

PATH = Path(__file__).with_name("sources.yaml")


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """A system or channel whose messages are accepted."""

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*\Z", max_length=40)]
    zh: Annotated[str, Meta(min_length=1)]
    en: Annotated[str, Meta(min_length=1)]


@cache
def sources() -> dict[str, Source]:
    """All sources by id, in the order of the file."""
    return by_id(PATH.read_bytes(), Source, PATH.name)

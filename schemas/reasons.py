"""The reasons of rejection: the closed list of `reasons.yaml`, checked."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.keyed_lists import by_id

PATH = Path(__file__).with_name("reasons.yaml")


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that can reject a message; `stage` is the step that checks it."""

    id: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", max_length=40)]
    stage: Literal["decode", "judge", "isolate"]
    zh: Annotated[str, Meta(min_length=1)]
    en: Annotated[str, Meta(min_length=1)]


@cache
def reasons() -> dict[str, Reason]:
    """All reasons by id, in the order of the file (the order in which they are checked)."""
    return by_id(PATH.read_bytes(), Reason, PATH.name)

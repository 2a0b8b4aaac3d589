"""The reasons of rejection: the closed list of `reasons.yaml`, checked."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

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
    return parse(PATH.read_bytes(), PATH.name)


def parse(content: bytes, name: str = PATH.name) -> dict[str, Reason]:
    """The reasons of a file; `name` is only for error texts.

    Raises:
        ValueError: not YAML, a field missing, unknown or malformed, an id used twice.
    """
    try:
        listed = msgspec.yaml.decode(content, type=list[Reason])
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from error
    by_id = {reason.id: reason for reason in listed}
    if len(by_id) < len(listed):
        ids = [reason.id for reason in listed]
        raise ValueError(f"{name}: id used twice: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}")
    return by_id

"""Data files that are lists of entries with an `id`."""

from collections import Counter
from typing import Any, TypeVar

import msgspec

Entry = TypeVar("Entry", bound=msgspec.Struct)


def by_id(content: bytes, kind: type[Entry], name: str) -> dict[str, Entry]:
    """The entries of a file by `id`, in the order of the file; `name` is only for error texts.

    Raises:
        ValueError: not YAML, a field missing, unknown or malformed, an id used twice.
    """
    try:
        listed: list[Any] = msgspec.yaml.decode(content, type=list[kind])  # type: ignore[valid-type]
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from error
    counts = Counter(entry.id for entry in listed)
    if twice := sorted(key for key, times in counts.items() if times > 1):
        raise ValueError(f"{name}: id used twice: {', '.join(twice)}")
    return {entry.id: entry for entry in listed}

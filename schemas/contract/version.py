"""What every version of the contract defines for reading messages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec


@dataclass(frozen=True)
class Version:
    """How messages of a version are read.

    report: the Struct that a message must match; unknown fields are allowed. stored: converts a message to the Struct
    of the current version, and to what that cannot hold (stored in `extra`).
    """

    number: int
    report: type[msgspec.Struct]
    stored: Callable[[Any], tuple[Any, dict[str, Any]]]

    @cached_property
    def fields(self) -> frozenset[str]:
        """The field names of this version; all others are unknown."""
        return frozenset(self.report.__struct_fields__)

    @cached_property
    def decode(self) -> Callable[[bytes], Any]:
        """Bytes to `report`. Raises msgspec.ValidationError."""
        return msgspec.json.Decoder(self.report).decode

    def json_schema(self) -> dict[str, Any]:
        """The version as JSON Schema (draft 2020-12), as published to producers."""
        return msgspec.json.schema(self.report)

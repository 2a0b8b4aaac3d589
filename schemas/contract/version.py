"""What every version of the contract gives to whoever reads messages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec


@dataclass(frozen=True)
class Version:
    """How messages of one version are read.

    report: the Struct that a message must fit; unknown fields are allowed. stored: a message as the current version's
    Struct, and what it holds beyond that (kept in `extra`).
    """

    number: int
    report: type[msgspec.Struct]
    stored: Callable[[Any], tuple[Any, dict[str, Any]]]

    @cached_property
    def fields(self) -> frozenset[str]:
        """Names a message of this version may give; all others are unknown."""
        return frozenset(self.report.__struct_fields__)

    @cached_property
    def decode(self) -> Callable[[bytes], Any]:
        """Bytes to `report`. Raises msgspec.ValidationError."""
        return msgspec.json.Decoder(self.report).decode

    def json_schema(self) -> dict[str, Any]:
        """The version as JSON Schema (draft 2020-12), as published to producers."""
        return msgspec.json.schema(self.report)

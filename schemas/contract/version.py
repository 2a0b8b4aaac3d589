"""What every version of the contract offers to code that reads messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, get_args, get_type_hints

import msgspec

# The end of a text in Python's regular expressions. JSON Schema uses ECMA-262, where `$` means the same.
END = r"\Z"

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Version:
    """How messages of a version are read.

    report: the Struct that a message must fit; unknown fields are allowed. stored: a message as the current version's
    Struct, and what it holds in addition (kept in `extra`).
    """

    number: int
    report: type[msgspec.Struct]
    stored: Callable[[Any], tuple[Any, dict[str, Any]]]

    def read(self, value: bytes, document: Document) -> Any:
        """The message `value`, already read as `document`, as `report`. Numbers such as 2.0 are integers, as in JSON
        Schema.

        Raises:
            msgspec.ValidationError: it does not fit.
        """
        integers = {name for name in _integers(self.report) if _is_whole(document.get(name))}
        if not integers:
            return self._decode(value)
        whole = {name: int(item) if name in integers else item for name, item in document.items()}
        return msgspec.convert(whole, self.report)

    @cached_property
    def _decode(self) -> Callable[[bytes], Any]:
        return msgspec.json.Decoder(self.report).decode

    def unknown(self, document: Document) -> dict[str, Any]:
        """What `document` holds outside the contract, at every depth; a nested field keeps its path."""
        return _unknown(document, self.report)

    def json_schema(self) -> dict[str, Any]:
        """The version as JSON Schema (draft 2020-12), as published to producers."""
        schema: dict[str, Any] = _with_ecma_patterns(msgspec.json.schema(self.report))
        return schema


def _unknown(document: Document, struct: type[msgspec.Struct]) -> dict[str, Any]:
    known = _structs(struct)
    beyond: dict[str, Any] = {}
    for name, value in document.items():
        if name not in known:
            beyond[name] = value
        elif (nested := known[name]) and isinstance(value, dict) and (inner := _unknown(value, nested)):
            beyond[name] = inner
    return beyond


@cache
def _structs(struct: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct] | None]:
    """The fields of `struct`: the Struct that a field holds, None for any other type."""
    return {
        name: next((part for part in (hint, *get_args(hint)) if isinstance(part, type(msgspec.Struct))), None)
        for name, hint in get_type_hints(struct).items()
    }


@cache
def _integers(struct: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of `struct` that hold an integer: by type, or as literals."""
    return frozenset(
        name
        for name, hint in get_type_hints(struct).items()
        if any(part is int or type(part) is int for part in (hint, *get_args(hint)))
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _with_ecma_patterns(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: value.removesuffix(END) + "$"
            if name == "pattern" and value.endswith(END)
            else _with_ecma_patterns(value)
            for name, value in schema.items()
        }
    return [_with_ecma_patterns(item) for item in schema] if isinstance(schema, list) else schema

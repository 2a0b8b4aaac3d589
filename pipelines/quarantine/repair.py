"""Repairing rejected messages: a JSON patch (RFC 6902), or fields set to what SQL expressions come to.

The expressions are ClickHouse's own SQL, evaluated by it, read-only, over the stored payloads: the language that people
who work here know, all its functions at hand, and no code of ours runs what somebody typed. They become a JSON patch
for each message, so that there is one way to apply, to show and to record a repair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any, Protocol

import jsonpatch
import msgspec
from jsonpointer import JsonPointer, JsonPointerException

from pipelines.errors import UserFault
from pipelines.quarantine.selection import Waiting

Document = dict[str, Any]
_KEPT = 4000  # characters of a patch that are recorded


class DoesNotApply(ValueError):
    """A repair says nothing about this message: a path that it lacks, or a test that fails."""


class Repair(Protocol):
    """A change of messages. `expressions`: what ClickHouse computes for each message (see `selection.pages`)."""

    @property
    def expressions(self) -> Sequence[str]: ...

    def repaired(self, document: Document, message: Waiting) -> Document:
        """`document`, which is `message`'s, repaired; itself unchanged. Raises DoesNotApply."""
        ...

    def __str__(self) -> str:
        """What is recorded of it: one line."""
        ...


@dataclass(frozen=True)
class Patch:
    """The same operations of RFC 6902 for every message."""

    operations: tuple[dict[str, Any], ...]
    expressions: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Patch":
        """A JSON array of operations, or the path of a file that holds one.

        Raises:
            UserFault: no such file, no JSON, or no patch.
        """
        try:
            source = text if text.lstrip().startswith(("[", "{")) else Path(text).read_text("utf-8")
            operations = msgspec.json.decode(source, type=list[dict[str, Any]])
            jsonpatch.JsonPatch(operations)
        except (OSError, UnicodeDecodeError) as error:
            raise UserFault(f"--patch: cannot read {text}: {error}") from None
        except (msgspec.MsgspecError, jsonpatch.JsonPatchException, JsonPointerException) as error:
            raise UserFault(
                f'--patch is no JSON patch, such as [{{"op": "replace", "path": "/severity", "value": 2}}]: {error}'
            ) from None
        return cls(tuple(operations))

    def repaired(self, document: Document, message: Waiting) -> Document:
        return _applied(self.operations, document)

    def __str__(self) -> str:
        return _recorded(msgspec.json.encode(self.operations).decode())


@dataclass(frozen=True)
class Assignments:
    """Fields (`severity`, `location.lon`) set to the value of an SQL expression; NULL removes the field."""

    fields: tuple[str, ...]
    expressions: tuple[str, ...]

    @classmethod
    def read(cls, texts: Sequence[str]) -> "Assignments":
        """`FIELD=EXPRESSION`, each. Raises UserFault: malformed, or a field twice."""
        pairs = [text.partition("=") for text in texts]
        for text, (field, _, expression) in zip(texts, pairs, strict=True):
            if not all(part.strip() for part in field.split(".")) or not expression.strip():
                raise UserFault(f"--set {text!r}: give FIELD=EXPRESSION, such as severity=2 or text=trim(text)")
        fields = tuple(field.strip() for field, _, _ in pairs)
        if twice := {field for field in fields if fields.count(field) > 1}:
            raise UserFault(f"--set names {', '.join(sorted(twice))} twice")
        return cls(fields, tuple(expression.strip() for _, _, expression in pairs))

    def repaired(self, document: Document, message: Waiting) -> Document:
        """Every field in turn; one that is to be removed may be missing."""
        for field, computed in zip(self.fields, message.computed, strict=True):
            pointer = JsonPointer.from_parts(field.split("."))
            value = None if computed is None else msgspec.json.decode(computed)
            if value is not None:
                document = _applied(({"op": "add", "path": pointer.path, "value": value},), document)
            elif pointer.resolve(document, ...) is not ...:
                document = _applied(({"op": "remove", "path": pointer.path},), document)
        return document

    def __str__(self) -> str:
        return _recorded("; ".join(f"{f} = {e}" for f, e in zip(self.fields, self.expressions, strict=True)))


def _applied(operations: Sequence[dict[str, Any]], document: Document) -> Document:
    try:
        result = jsonpatch.JsonPatch(list(operations)).apply(document)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError) as error:
        raise DoesNotApply(" ".join(str(error).split())) from None
    if not isinstance(result, dict):
        raise DoesNotApply("the result is no JSON object")
    return result


def _recorded(text: str) -> str:
    return text if len(text) <= _KEPT else text[: _KEPT - 1] + "…"


def difference(before: Document, after: Document) -> list[str]:
    """What changes, as a diff of the indented JSON without context; [] when nothing does."""
    texts = (_lines(before), _lines(after))
    return [line for line in unified_diff(*texts, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]


def _lines(document: Document) -> list[str]:
    text = msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=2).decode()
    return [line.rstrip(",") for line in text.splitlines()]

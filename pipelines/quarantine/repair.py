"""Repair rejected messages: a JSON patch (RFC 6902), or fields set to the values of SQL
expressions.

ClickHouse evaluates the expressions, as a user without rights, over the stored payloads (see
compute.py). Its users know this language and have all its functions, and this program does not run
what somebody typed. The values become a JSON patch for each message, so that all repairs are
applied, shown and recorded alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any, TypeAlias

import jsonpatch
import msgspec
from jsonpointer import JsonPointer, JsonPointerException

from pipelines.errors import UserFault
from pipelines.quarantine.message import RejectedMessage

Document = dict[str, Any]
_RECORDED_CHARACTERS = 4000  # of the text of a repair


class DoesNotApply(ValueError):
    """A repair cannot be applied to this message: the message lacks a path, or a test operation
    fails."""


@dataclass(frozen=True)
class Patch:
    """The same operations of RFC 6902 for every message. Its text is one line, as it is recorded."""

    operations: tuple[dict[str, Any], ...]
    expressions: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Patch":
        """A JSON array of operations, or the path of a file that holds one.

        Raises:
            UserFault: the file cannot be read, or the text is not a JSON patch.
        """
        try:
            source = text if text.lstrip().startswith(("[", "{")) else Path(text).read_text("utf-8")
            operations = msgspec.json.decode(source, type=list[dict[str, Any]])
            jsonpatch.JsonPatch(operations)
        except (OSError, UnicodeDecodeError) as error:
            raise UserFault(f"--patch: 无法读取 cannot read {text}: {error}") from None
        except (msgspec.MsgspecError, jsonpatch.JsonPatchException, JsonPointerException) as error:
            raise UserFault(
                f"--patch 不是 JSON 补丁 is not a JSON patch: {error}; "
                '例如 example: [{"op": "replace", "path": "/severity", "value": 2}]'
            ) from None
        return cls(tuple(operations))

    def repaired(self, document: Document, message: RejectedMessage) -> Document:
        """A repaired copy of `document`, the payload of `message`. Raises DoesNotApply."""
        return _applied(self.operations, document)

    def __str__(self) -> str:
        return _recorded(msgspec.json.encode(self.operations).decode())


@dataclass(frozen=True)
class Assignments:
    """Fields (`severity`, `location.lon`) set to the value of an SQL expression; NULL removes the
    field.

    expressions: the SQL to compute for each message, see `compute.Evaluator`. Its text is one line,
    as it is recorded.
    """

    fields: tuple[str, ...]
    expressions: tuple[str, ...]

    @classmethod
    def read(cls, texts: Sequence[str]) -> "Assignments":
        """From texts like `FIELD=EXPRESSION`. Raises UserFault: a text is malformed, or a field is
        set twice."""
        pairs = [text.partition("=") for text in texts]
        for text, (field, _, expression) in zip(texts, pairs, strict=True):
            if not all(part.strip() for part in field.split(".")) or not expression.strip():
                raise UserFault(
                    f"--set {text!r}: 须为 字段=表达式 give FIELD=EXPRESSION, "
                    "例如 such as severity=2 or text=trim(text)"
                )
        fields = tuple(field.strip() for field, _, _ in pairs)
        if repeated := {field for field in fields if fields.count(field) > 1}:
            raise UserFault(f"--set: 字段重复 a field is set twice: {', '.join(sorted(repeated))}")
        return cls(fields, tuple(expression.strip() for _, _, expression in pairs))

    def repaired(self, document: Document, message: RejectedMessage) -> Document:
        """A repaired copy of `document`, the payload of `message`: the fields are set in their
        order; a field to be removed may be missing. Raises DoesNotApply."""
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


Repair: TypeAlias = Patch | Assignments


def _applied(operations: Sequence[dict[str, Any]], document: Document) -> Document:
    try:
        result = jsonpatch.JsonPatch(list(operations)).apply(document)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError) as error:
        raise DoesNotApply(" ".join(str(error).split())) from None
    if not isinstance(result, dict):
        raise DoesNotApply("the result is not a JSON object")
    return result


def _recorded(text: str) -> str:
    return text if len(text) <= _RECORDED_CHARACTERS else text[: _RECORDED_CHARACTERS - 1] + "…"


def difference(before: Document, after: Document) -> list[str]:
    """The changes as a diff of the indented JSON, without context lines; [] when nothing changes."""
    diff = unified_diff(_lines(before), _lines(after), lineterm="", n=0)
    return [line for line in diff if not line.startswith(("---", "+++", "@@"))]


def _lines(document: Document) -> list[str]:
    text = msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=2).decode()
    return [line.rstrip(",") for line in text.splitlines()]

"""Checks that a contract accepts everything that an earlier publication of it allowed.

Supports the part of JSON Schema that msgspec generates, and refuses other keywords instead of ignoring them.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_LOWER, _UPPER = (
    ("minimum", "exclusiveMinimum", "minLength", "minItems"),
    ("maximum", "exclusiveMaximum", "maxLength", "maxItems"),
)
_SAME = ("pattern", "format")
_ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples"}
_KNOWN = {
    *_ANNOTATIONS,
    *_LOWER,
    *_UPPER,
    *_SAME,
    *("$ref", "type", "enum", "anyOf", "properties", "required", "additionalProperties", "items"),
}
_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}


def breaks(published: Schema, now: Schema) -> list[str]:
    """What `published` allows and `now` would refuse or lose, a line each, such as `$.severity: maximum 4 became 3`.

    Empty if `now` is compatible.

    Raises:
        ValueError: a schema uses a keyword that is not compared.
    """
    return list(_Comparison(published.get("$defs", {}), now.get("$defs", {})).compare(published, now, "$"))


class _Comparison:
    def __init__(self, published: Schema, now: Schema) -> None:
        self._published, self._now = published, now

    def compare(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        old, new = _resolved(old, self._published), _resolved(new, self._now)
        if "anyOf" in old or "anyOf" in new:
            yield from self._branches(old.get("anyOf", [old]), new.get("anyOf", [new]), at)
        elif gone := _types(old) - _types(new):
            yield f"{at}: type {'/'.join(sorted(gone))} is no longer accepted"
        else:
            yield from _narrowed(old, new, at)
            yield from self._object(old, new, at)
            if "items" in new:
                yield from self.compare(old.get("items", {}), new["items"], f"{at}[]")

    def _branches(self, old: list[Schema], new: list[Schema], at: str) -> Iterator[str]:
        """Each old alternative needs a new alternative that accepts it; the differences are those to the nearest."""
        for branch in old:
            yield from min((list(self.compare(branch, candidate, at)) for candidate in new), key=_weight)

    def _object(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        for name in had:
            if name in has:
                yield from self.compare(had[name], has[name], f"{at}.{name}")
            else:
                yield f"{at}.{name}: removed"
        for name in sorted({*new.get("required", ())} - {*old.get("required", ())}):
            yield f"{at}.{name}: newly required"
        if new.get("additionalProperties", True) is False and old.get("additionalProperties", True) is not False:
            yield f"{at}: unknown fields are no longer allowed"


def _weight(differences: list[str]) -> tuple[bool, int]:
    """Distance of an alternative: another type is further away than any number of narrower rules."""
    return any(": type " in line for line in differences), len(differences)


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    if unknown := schema.keys() - _KNOWN:
        raise ValueError(f"keywords that are not compared: {', '.join(sorted(unknown))}")
    reference = schema.get("$ref")
    return schema if reference is None else _resolved(definitions[reference.rsplit("/", 1)[1]], definitions)


def _types(schema: Schema) -> set[str]:
    """Types that the schema accepts, where an `integer` is also a `number`; for an enum, the types of its values."""
    if "enum" in schema:
        return {_TYPES[type(value)] for value in schema["enum"]}
    if "type" not in schema:
        return set(_TYPES.values())
    return {schema["type"], *(("integer",) if schema["type"] == "number" else ())}


def _narrowed(old: Schema, new: Schema, at: str) -> Iterator[str]:
    if gone := _no_longer_accepted(old, new):
        yield f"{at}: no longer accepts {', '.join(gone)}"
    for keyword in (*_LOWER, *_UPPER):
        if keyword in new and _stricter(keyword, old.get(keyword), new[keyword]) and not _within(old, keyword, new):
            yield f"{at}: {keyword} {old.get(keyword, 'none')} became {new[keyword]}"
    for keyword in _SAME:
        if keyword in new and old.get(keyword) != new[keyword]:
            yield f"{at}: {keyword} {old.get(keyword, 'none')} became {new[keyword]}"


def _no_longer_accepted(old: Schema, new: Schema) -> list[str]:
    if "enum" not in new:
        return []
    return [str(value) for value in old.get("enum", ["any other value"]) if value not in new["enum"]]


def _stricter(keyword: str, before: float | None, after: float) -> bool:
    if before is None:
        return True
    return after > before if keyword in _LOWER else after < before


def _within(old: Schema, keyword: str, new: Schema) -> bool:
    """Whether all values of an old enum are within a new bound."""
    limit, values = new[keyword], old.get("enum")
    if values is None:
        return False
    sizes = [len(value) if isinstance(value, str) else value for value in values]
    return all(size >= limit for size in sizes) if keyword in _LOWER else all(size <= limit for size in sizes)

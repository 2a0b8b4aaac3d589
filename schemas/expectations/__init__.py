"""What is expected of each table: one file a table, in the words of Great Expectations, checked on reading.

Rules of `level: row` are used twice: compiled for the stream (`pipelines/intake/rules/compile.py`), where they refuse a
message or warn of it, and run by Great Expectations on ClickHouse. Rules of `level: table` are run by Great
Expectations only. The order of a file's row rules is their order of importance.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct

from schemas.reasons import reasons

FOLDER = Path(__file__).parent

Id = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$", max_length=60)]
Said = Annotated[str, msgspec.Meta(min_length=1)]
Level = Literal["row", "table"]
Severity = Literal["reject", "warn", "critical", "warning", "info"]

SEVERITIES: dict[Level, tuple[Severity, ...]] = {"row": ("reject", "warn"), "table": ("critical", "warning", "info")}


class Expectation(Struct, frozen=True):
    """One rule: `type` and `kwargs` are Great Expectations' own; `rule` names it everywhere else; `owner` is who is
    asked when it fails; `zh` and `en` are shown to people."""

    type: str
    kwargs: dict[str, Any]
    rule: str
    level: Level
    severity: Severity
    owner: str
    zh: str
    en: str


class Suite(Struct, frozen=True):
    """The rules of `table`. `reads`: the view or table that Great Expectations reads for them."""

    table: str
    reads: str
    expectations: tuple[Expectation, ...]

    def of_level(self, level: Level) -> tuple[Expectation, ...]:
        """The rules of one level, in the file's order."""
        return tuple(rule for rule in self.expectations if rule.level == level)


class _Meta(Struct, frozen=True, forbid_unknown_fields=True):
    rule: Id
    level: Level
    severity: Severity
    owner: Id
    zh: Said
    en: Said


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    type: Annotated[str, msgspec.Meta(pattern="^(expect_[a-z0-9_A-Z]+|unexpected_rows_expectation)$")]
    kwargs: dict[str, Any]
    meta: _Meta


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    table: Id
    expectations: Annotated[tuple[_Entry, ...], msgspec.Meta(min_length=1)]
    reads: Id | None = None


@cache
def suites() -> dict[str, Suite]:
    """All suites, by table.

    Raises:
        ValueError: see `parse`; or a file is not named as its table.
    """
    found = {path.stem: parse(path.read_bytes(), path.name) for path in sorted(FOLDER.glob("*.yaml"))}
    for name, suite in found.items():
        if suite.table != name:
            raise ValueError(f"{name}.yaml: the table is {suite.table}; name the file as its table")
    return found


def parse(content: bytes, name: str) -> Suite:
    """The suite of a file; `name` is only for error texts.

    Raises:
        ValueError: not YAML; a key missing, unknown or malformed; a rule id used twice; a severity that its level does
            not have; a rule that refuses messages without being a reason of `schemas/reasons.yaml`.
    """
    try:
        file = msgspec.yaml.decode(content, type=_File)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from error
    rules = tuple(_flat(entry) for entry in file.expectations)
    for wrong in filter(None, (_twice(rules), *map(_severity, rules), *map(_reason, rules))):
        raise ValueError(f"{name}: {wrong}")
    return Suite(file.table, file.reads or file.table, rules)


def _flat(entry: _Entry) -> Expectation:
    return Expectation(entry.type, entry.kwargs, **msgspec.structs.asdict(entry.meta))


def _twice(rules: tuple[Expectation, ...]) -> str:
    twice = sorted(rule for rule, times in Counter(one.rule for one in rules).items() if times > 1)
    return f"rule id used twice: {', '.join(twice)}" if twice else ""


def _severity(one: Expectation) -> str:
    allowed = SEVERITIES[one.level]
    if one.severity in allowed:
        return ""
    return f"{one.rule}: severity of a {one.level} rule is one of {', '.join(allowed)}"


def _reason(one: Expectation) -> str:
    reason = reasons().get(one.rule)
    if one.severity != "reject" or (reason and reason.stage == "judge"):
        return ""
    return f"{one.rule}: refuses messages, but is no reason of stage judge in reasons.yaml"

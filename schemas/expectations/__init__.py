"""The expectations of each table: a file for each table, in the terms of Great Expectations, checked when it is read.

Rules of `level: row` are used twice: compiled for the stream (`pipelines/intake/rules/compile.py`), where they reject a
message or add a warning, and run by Great Expectations on ClickHouse. Rules of `level: table` are run by Great
Expectations only. The row rules of a file are in the order of their importance.
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
Text = Annotated[str, msgspec.Meta(min_length=1)]
Level = Literal["row", "table"]
Severity = Literal["reject", "warn", "critical", "warning", "info"]

SEVERITIES: dict[Level, tuple[Severity, ...]] = {"row": ("reject", "warn"), "table": ("critical", "warning", "info")}


class Expectation(Struct, frozen=True):
    """A rule.

    type, kwargs: as in Great Expectations. rule: its id everywhere else. owner: who is responsible if it is broken.
    zh, en: its name for people.
    """

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
        """The rules of a level, in the order of the file."""
        return tuple(rule for rule in self.expectations if rule.level == level)


class _Meta(Struct, frozen=True, forbid_unknown_fields=True):
    rule: Id
    level: Level
    severity: Severity
    owner: Id
    zh: Text
    en: Text


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
        ValueError: see `parse`; or a file does not have the name of its table.
    """
    by_name = {path.stem: parse(path.read_bytes(), path.name) for path in sorted(FOLDER.glob("*.yaml"))}
    for name, suite in by_name.items():
        if suite.table != name:
            raise ValueError(f"{name}.yaml: the table is {suite.table}; the file must have its name")
    return by_name


def parse(content: bytes, name: str) -> Suite:
    """The suite of a file; `name` is only for error texts.

    Raises:
        ValueError: not YAML; a key missing, unknown or malformed; a rule id used twice; a severity that its level does
            not have; a rule that rejects messages and is not a reason of `schemas/reasons.yaml`.
    """
    try:
        file = msgspec.yaml.decode(content, type=_File)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from error
    rules = tuple(
        Expectation(entry.type, entry.kwargs, **msgspec.structs.asdict(entry.meta)) for entry in file.expectations
    )
    for wrong in filter(None, (_twice(rules), *map(_severity, rules), *map(_reason, rules))):
        raise ValueError(f"{name}: {wrong}")
    return Suite(file.table, file.reads or file.table, rules)


def _twice(rules: tuple[Expectation, ...]) -> str:
    twice = sorted(name for name, times in Counter(rule.rule for rule in rules).items() if times > 1)
    return f"rule id used twice: {', '.join(twice)}" if twice else ""


def _severity(rule: Expectation) -> str:
    allowed = SEVERITIES[rule.level]
    if rule.severity in allowed:
        return ""
    return f"{rule.rule}: the severity of a {rule.level} rule is one of {', '.join(allowed)}"


def _reason(rule: Expectation) -> str:
    reason = reasons().get(rule.rule)
    if rule.severity != "reject" or (reason and reason.stage == "judge"):
        return ""
    return f"{rule.rule}: rejects messages, but is not a reason of stage judge in reasons.yaml"

"""Repairs: JSON patches, and fields set to SQL expressions, which become patches."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import UserFault
from pipelines.quarantine.message import RejectedMessage
from pipelines.quarantine.repair import Assignments, DoesNotApply, Patch, difference
from tests.support.messages import rejected

BEFORE = {"severity": 9, "location": {"lon": 1}, "due_at": None}


def message(*computed: str | None) -> RejectedMessage:
    return rejected(computed=computed)


def test_a_patch_changes_a_copy() -> None:
    patch = Patch.read('[{"op": "replace", "path": "/severity", "value": 2}, {"op": "remove", "path": "/due_at"}]')
    assert patch.repaired(BEFORE, message()) == {"severity": 2, "location": {"lon": 1}}
    assert BEFORE["severity"] == 9


def test_a_patch_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "patch.json"
    path.write_text('[{"op": "add", "path": "/a", "value": "中"}]', "utf-8")
    assert str(Patch.read(str(path))) == '[{"op":"add","path":"/a","value":"中"}]'


@pytest.mark.parametrize(
    "text",
    ["/no/such/file", "[", "{}", "[1]", '[{"op":"jump","path":"/a"}]', '[{"op":"add","path":"a","value":1}]', ""],
)
def test_a_malformed_patch_is_a_user_fault(text: str) -> None:
    with pytest.raises(UserFault) as fault:
        Patch.read(text)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nothing"},
        {"op": "test", "path": "/severity", "value": 1},
        {"op": "add", "path": "/severity/x", "value": 1},
        {"op": "replace", "path": "", "value": 1},
    ],
)
def test_a_repair_that_does_not_apply_is_an_error(operation: dict[str, Any]) -> None:
    with pytest.raises(DoesNotApply):
        Patch((operation,)).repaired(BEFORE, message())


def test_fields_are_set_and_removed() -> None:
    fix = Assignments.read(["severity=2", "location.lon = toFloat64(1)", "due_at=NULL", "handler=NULL", "a=b = c"])
    assert fix.expressions == ("2", "toFloat64(1)", "NULL", "NULL", "b = c")
    after = fix.repaired(BEFORE, message("2", "121.5", None, "null", "true"))
    assert after == {"severity": 2, "location": {"lon": 121.5}, "a": True}
    assert str(fix) == "severity = 2; location.lon = toFloat64(1); due_at = NULL; handler = NULL; a = b = c"


def test_a_field_name_may_hold_the_characters_of_a_pointer() -> None:
    assert Assignments.read(["a/b~c=1"]).repaired(BEFORE, message("1"))["a/b~c"] == 1


def test_a_field_inside_what_is_missing_does_not_apply() -> None:
    with pytest.raises(DoesNotApply):
        Assignments.read(["place.lon=1"]).repaired(BEFORE, message("1"))


@pytest.mark.parametrize("texts", [["severity"], ["=2"], ["severity="], ["a..b=1"], ["a=1", "a=2"]])
def test_malformed_assignments_are_a_user_fault(texts: list[str]) -> None:
    with pytest.raises(UserFault):
        Assignments.read(texts)


def test_a_difference_shows_what_changes() -> None:
    assert difference(BEFORE, {**BEFORE, "severity": 2}) == ['-  "severity": 9', '+  "severity": 2']
    assert difference(BEFORE, dict(BEFORE)) == []

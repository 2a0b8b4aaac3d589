"""The contract only grows: what any publication of a version allowed is taken still, and a break of it is found."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from schemas.contract import CURRENT, VERSIONS, v1
from schemas.contract.compatible import breaks
from schemas.contract.publish import FOLDER, broken, publications, publish, rendered
from schemas.contract.version import Version

Schema = dict[str, Any]


@pytest.mark.parametrize("number", VERSIONS)
def test_everything_that_was_published_is_taken_still(number: int) -> None:
    assert publications(number), "publish it: python -m schemas.contract.publish"
    assert broken(VERSIONS[number]) == []


@pytest.mark.parametrize("number", VERSIONS)
def test_producers_know_the_contract_as_it_is(number: int) -> None:
    """Else: python -m schemas.contract.publish"""
    assert (FOLDER / f"report.v{number}.schema.json").read_bytes() == rendered(VERSIONS[number])
    assert publications(number)[-1] == msgspec.json.decode(rendered(VERSIONS[number]))


def test_no_published_version_is_given_up() -> None:
    published = {path.name.split(".")[1] for path in (FOLDER / "published").iterdir()}
    assert published == {f"v{number}" for number in VERSIONS}
    assert CURRENT in VERSIONS


def fields(schema: Schema, struct: str = "Report") -> Schema:
    answer: Schema = schema["$defs"][struct]["properties"]
    return answer


def optional(schema: Schema, name: str) -> Schema:
    answer: Schema = fields(schema)[name]["anyOf"][0]
    return answer


def required(schema: Schema) -> list[str]:
    answer: list[str] = schema["$defs"]["Report"]["required"]
    return answer


# What a hand could do to the contract, and what is said of it.
BREAKS: dict[str, tuple[Callable[[Schema], object], str]] = {
    "removed": (lambda s: fields(s).pop("handler"), "$.handler: removed"),
    "removed inside": (lambda s: fields(s, "Location").pop("crs"), "$.location.crs: removed"),
    "retyped": (
        lambda s: fields(s).update(severity={"type": "string"}),
        "$.severity: type integer is no longer accepted",
    ),
    "retyped optional": (
        lambda s: fields(s)["satisfaction"]["anyOf"].__setitem__(0, {"type": "string"}),
        "$.satisfaction: type integer is no longer accepted",
    ),
    "null no more": (lambda s: fields(s)["due_at"]["anyOf"].pop(), "$.due_at: type null is no longer accepted"),
    "now required": (lambda s: required(s).append("handler"), "$.handler: newly required"),
    "new and required": (
        lambda s: (fields(s).update(weather={"type": "string"}), required(s).append("weather")),
        "$.weather: newly required",
    ),
    "higher minimum": (lambda s: fields(s)["severity"].update(minimum=2), "$.severity: minimum 1 became 2"),
    "lower maximum": (lambda s: fields(s)["severity"].update(maximum=3), "$.severity: maximum 4 became 3"),
    "shorter": (lambda s: fields(s)["text"].update(maxLength=2000), "$.text: maxLength 4000 became 2000"),
    "longer at least": (lambda s: fields(s)["text"].update(minLength=2), "$.text: minLength 1 became 2"),
    "a first limit": (lambda s: optional(s, "reporter").update(minLength=1), "$.reporter: minLength none became 1"),
    "enum value gone": (lambda s: fields(s)["source"]["enum"].remove("forum"), "$.source: no longer accepts forum"),
    "first enum": (
        lambda s: fields(s)["text"].update(enum=["a"]),
        "$.text: no longer accepts any other value",
    ),
    "another pattern": (
        lambda s: fields(s)["grid_code"].update(pattern="^33[0-9]{10}$"),
        "$.grid_code: pattern ^[0-9]{12}$ became ^33[0-9]{10}$",
    ),
    "a first pattern": (lambda s: fields(s)["report_id"].update(pattern="^R"), "$.report_id: pattern none became ^R"),
    "another format": (
        lambda s: fields(s)["reported_at"].update(format="date"),
        "$.reported_at: format date-time became date",
    ),
    "closed": (
        lambda s: s["$defs"]["Report"].update(additionalProperties=False),
        "$: unknown fields are no longer allowed",
    ),
}
ADDITIONS: dict[str, Callable[[Schema], object]] = {
    "optional field": lambda s: fields(s).update(weather={"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "wider range": lambda s: fields(s)["severity"].update(minimum=0, maximum=9),
    "no limit": lambda s: fields(s)["severity"].pop("maximum"),
    "another enum value": lambda s: fields(s)["source"]["enum"].append("drone"),
    "any text": lambda s: fields(s).update(source={"type": "string", "maxLength": 64}),
    "integer becomes number": lambda s: fields(s)["severity"].update(type="number"),
    "no pattern": lambda s: fields(s)["grid_code"].pop("pattern"),
    "optional now": lambda s: required(s).remove("severity"),
    "null as well": lambda s: fields(s).update(handler={"anyOf": [fields(s)["text"], {"type": "null"}]}),
    "other words": lambda s: fields(s)["event_id"].update(description="something else"),
}


def changed(change: Callable[[Schema], object]) -> Schema:
    schema = copy.deepcopy(VERSIONS[1].json_schema())
    change(schema)
    return schema


@pytest.mark.parametrize("kind", BREAKS)
def test_each_kind_of_break_is_found_and_named(kind: str) -> None:
    change, said = BREAKS[kind]
    assert breaks(VERSIONS[1].json_schema(), changed(change)) == [said]


@pytest.mark.parametrize("kind", ADDITIONS)
def test_additions_are_allowed(kind: str) -> None:
    assert breaks(VERSIONS[1].json_schema(), changed(ADDITIONS[kind])) == []


@given(
    st.sets(st.sampled_from(sorted(BREAKS.keys() - {"retyped", "first enum", "a first pattern", "another pattern"})))
)
def test_no_break_hides_another(kinds: set[str]) -> None:
    schema = copy.deepcopy(VERSIONS[1].json_schema())
    if "removed" in kinds:
        kinds = kinds - {"now required"}
    for kind in kinds:
        BREAKS[kind][0](schema)
    assert set(breaks(VERSIONS[1].json_schema(), schema)) == {BREAKS[kind][1] for kind in kinds}


def test_a_keyword_nobody_compares_is_refused() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        breaks(VERSIONS[1].json_schema(), changed(lambda s: fields(s)["severity"].update(multipleOf=2)))


class Narrowed(v1.Report):
    severity: Annotated[int, Meta(ge=1, le=3)]


class Grown(v1.Report):
    weather: Annotated[str, Meta(max_length=32)] | None = None


def version(report: type[msgspec.Struct]) -> Version:
    return Version(1, report, lambda one: (one, {}))


def test_what_breaks_is_not_published(tmp_path: Path) -> None:
    publish(VERSIONS[1], tmp_path)
    with pytest.raises(ValueError, match=r"severity: maximum 4 became 3.*new version"):
        publish(version(Narrowed), tmp_path)
    assert len(publications(1, tmp_path)) == 1


def test_each_publication_stays_and_binds(tmp_path: Path) -> None:
    publish(VERSIONS[1], tmp_path)
    assert publish(VERSIONS[1], tmp_path) is None
    path = publish(version(Grown), tmp_path)
    assert path and path.name == "report.v1.1.schema.json"
    assert broken(version(Grown), tmp_path) == []
    assert broken(VERSIONS[1], tmp_path) == ["$.weather: removed"]


class Second(v1.Report):
    schema_version: Literal[2]  # type: ignore[assignment]


def test_versions_are_compared_apart(tmp_path: Path) -> None:
    publish(VERSIONS[1], tmp_path)
    publish(Version(2, Second, lambda one: (one, {})), tmp_path)
    assert [len(publications(number, tmp_path)) for number in (1, 2)] == [1, 1]
    assert publications(2, tmp_path)[0]["$defs"]["Second"]["properties"]["schema_version"] == {"enum": [2]}

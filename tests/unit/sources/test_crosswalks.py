"""Crosswalks: every category of the real sources has a type, and mistakes in a file are refused."""

import csv
import html
from pathlib import Path

import pytest

from schemas.crosswalks import MAX_SOURCE_TYPE, crosswalk, crosswalks, lookup, parse, source_type_of
from schemas.event_types import event_types

HEAD = b"system: abc\nzh: x\nen: x\nunmapped: 999\n"


def test_a_sub_category_wins_over_its_main_category() -> None:
    assert lookup("pingshan/公用部件/自来水管破裂") == 601
    assert lookup("pingshan/公用部件/下水井盖") == 405
    assert lookup("pingshan/公用部件/a new kind of part") == 405


def test_an_unlisted_category_is_other_or_left_to_the_classifier() -> None:
    assert lookup("pingshan/no such category") == 999
    assert lookup("sim/123") is None
    assert lookup("another system/category") is None
    assert lookup("405") is None


def test_the_simulator_speaks_our_codes() -> None:
    assert {lookup(f"sim/{kind.code}") for kind in event_types()} == {kind.code for kind in event_types()}


def test_every_listed_category_fits_the_contract() -> None:
    assert all(len(name) <= MAX_SOURCE_TYPE for listed in crosswalks().values() for name in listed.types)


def test_too_long_a_sub_category_is_left_out() -> None:
    assert source_type_of("pingshan", "公用部件", "长" * 60) == "pingshan/公用部件"


def test_every_pingshan_category_is_listed(data: Path) -> None:
    found, counts = crosswalk("pingshan"), {"other": 0, "all": 0}
    with (data / "pingshan" / "taxonomy.csv").open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            name = source_type_of("pingshan", row["MAIN_TYPE_NAME"], html.unescape(row["SUB_TYPE_NAME"]))
            assert found.knows(name), name
            counts["all"] += int(row["n"])
            counts["other"] += int(row["n"]) * (found.map(name) == 999)
    assert counts == {"other": 134, "all": 10_000}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (HEAD + b"types: {a: {to: 777}}", "no such event type: \\[777\\]"),
        (HEAD + b"types: {a: {to: 405, sub: {b: 778}}}", "no such event type: \\[778\\]"),
        (HEAD.replace(b"999", b"555"), "no such event type: \\[555\\]"),
        (HEAD + b"types: {a/b: {to: 405}}", "xyz.yaml"),
        (HEAD + b"types: {a: {too: 405}}", "xyz.yaml"),
        (HEAD + "types: {长长长: {to: 405, sub: {".encode() + b"b" * 60 + b": 405}}}", "longer than 64"),
        (b"types: [", "xyz.yaml"),
    ],
)
def test_a_mistake_in_a_file_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(content, "xyz.yaml")

"""Files that are not what they should be end in one clear line, before anything is sent."""

from pathlib import Path

import pytest

from pipelines.errors import UserFault
from pipelines.sources.catalogue import SOURCES, open_source
from pipelines.sources.csv_file import open_csv
from pipelines.sources.source import stable_uuid
from schemas.crosswalks import crosswalks


def test_rows_are_counted_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffa,b\n1,"2\n3"\n\n4,5\n6\n'.encode())
    file = open_csv(path, ("a", "b"))
    assert file.rows == 3
    assert list(file.records()) == [
        (1, {"a": "1", "b": "2\n3"}),
        (2, {"a": "4", "b": "5"}),
        (3, "2 列，此行 1 列 1 fields in this row"),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "columns missing: a, b"),
        (b"a,c\n1,2\n", "columns missing: b"),
        (b"a,b,a\n1,2,3\n", "columns named twice: a"),
        ("a,b\n1,坑梓街道\n".encode("gb18030"), "not UTF-8"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "not CSV from line 2 on"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserFault, match=complaint) as caught:
        open_csv(path, ("a", "b"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('1,2,3\n4,"5,6\n7,8,9\n', 3),  # up to the end of the file
        ('1,2,3\n4,"5,6\n7,8,9\n10,"11",12\n', 3),  # up to the next quote, with text after it
        ('1,2,3\n4,"5,6\n7,8,9\n10,11",12\n', 3),  # the three rows would be one with the right number of fields
        ('1,2,3\n4,5,"6\n7,8,9"\n', 3),
        ('"1","2","3\n"4","5","6"\n', 2),  # every cell in quotes, one of them without the second
        ('1,"two\nlines",3\n"a ""quoted"" word",2,3\n4,"5,6\n7,8,9\n', 5),
    ],
)
def test_a_quote_that_never_closes_refuses_the_file_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"a,b,c\n{content}", "utf-8")
    with pytest.raises(UserFault, match=f"第 {line} 行.* line {line} ") as caught:
        open_csv(path, ("a", "b"))
    assert "\n" not in str(caught.value)


def test_a_text_over_several_lines_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b,c\n"first, line\n\nand more, here\n",2,3\n4,5,"6\n6"\n', "utf-8")
    assert [values for _, values in open_csv(path, ()).records()] == [
        {"a": "first, line\n\nand more, here\n", "b": "2", "c": "3"},
        {"a": "4", "b": "5", "c": "6\n6"},
    ]


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UserFault, match="no such file"):
            open_csv(path, ("a",))


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="known: pingshan, boston311"):
        open_source("chicago", tmp_path)


def test_every_source_has_a_crosswalk() -> None:
    assert set(SOURCES) <= set(crosswalks())


def test_ids_depend_on_all_parts() -> None:
    assert stable_uuid("a", "b") == stable_uuid("a", "b")
    assert len({stable_uuid("a", "b"), stable_uuid("a", "c"), stable_uuid("ab"), stable_uuid("a/b", "")}) == 4

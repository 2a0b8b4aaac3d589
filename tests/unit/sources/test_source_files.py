"""Files that are not what they should be end in one clear line, before anything is sent."""

from pathlib import Path

import pytest

from pipelines.errors import UserFault
from pipelines.sources.catalogue import SOURCES, open_source
from pipelines.sources.source import open_csv, stable_uuid
from schemas.crosswalks import crosswalks


def test_rows_are_counted_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffa,b\n1,"2\n3"\n\n4,5\n6\n'.encode())
    file = open_csv(path, ("a", "b"))
    assert file.rows == 3
    assert list(file.records()) == [
        (1, {"a": "1", "b": "2\n3"}),
        (2, {"a": "4", "b": "5"}),
        (3, "1 fields instead of 2"),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "columns missing: a, b"),
        (b"a,c\n1,2\n", "columns missing: b"),
        (b"a,b,a\n1,2,3\n", "columns named twice: a"),
        ("a,b\n1,坑梓街道\n".encode("gb18030"), "not UTF-8"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "not CSV"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserFault, match=complaint) as caught:
        open_csv(path, ("a", "b"))
    assert "\n" not in str(caught.value)


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

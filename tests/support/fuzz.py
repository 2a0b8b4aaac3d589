"""Hostile messages by the million: a grammar of what producers, encodings and authors get wrong. Seeded, so
repeatable."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.support.messages import message

PLANTED = "13812345678"  # a mobile number that must never be stored
_LARGEST = 900_000  # bytes; a larger message is refused by the producer, not by the stream

Document = dict[str, Any]

_TEXTS = (
    *("", " ", "\n", "\r\n", "\0", "\x1b[31m", "\u2028", "\u202e", "\ufeff", "\u200b", "\ud7ff", "\U0001f600" * 40),
    *(
        "路灯不亮",
        "x" * 4000,
        "x" * 4001,
        "长" * 5000,
        f"请联系{PLANTED}，谢谢",
        "'; DROP TABLE events; --",
        "{}",
        "\\",
        '"',
    ),
    *("null", "NaN", "1e999", "<script>", "=1+1", "%s%n", "../../etc/passwd", "2026-03-01", "A" * 64, "B" * 65),
)
_NUMBERS = (
    *(0, -1, 1, 2, 4, 5, 99, 100, 405, 999, 1000, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40),
    *(0.5, -0.0, 2.0, 1e-320, 1e308, 121.55, 29.87, 180.0, 180.0000001, -90.5, float(PLANTED)),
)
_TIMES = (
    *("2026-03-01T08:00:00+08:00", "2026-03-01T08:00:00Z", "2026-03-01T08:00:00", "2026-03-01", "2026-02-30T00:00:00Z"),
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1969-12-31T23:59:59.999999999Z",
        "2016-12-31T23:59:60Z",
    ),
    *("2026-03-01T24:00:00Z", "2026-03-01T08:00:00+23:59", "2026-03-01T08:00:00+24:00", "２０２６-03-01T08:00:00Z"),
    *(
        "2026-03-01 08:00:00+08:00",
        "20260301T080000Z",
        "2299-12-31T00:00:00Z",
        "1700-01-01T00:00:00Z",
        "\n2026-03-01T08:00:00Z",
    ),
)
_IDS = (
    *(
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0F0E0D0C-0B0A-4908-8706-050403020100",
        "0f0e0d0c0b0a49088706050403020100",
    ),
    *(
        "0f0e0d0c-0b0a-4908-8706-050403020100\n",
        "{0f0e0d0c-0b0a-4908-8706-050403020100}",
        PLANTED,
        f"{PLANTED}-1",
        "R1\n",
    ),
    *(
        "330203001001",
        "330203001001\n",
        "330203001001 ",
        "３３０２０３００１００１",
        "999999999999",
        "33020300100",
        "-30203001001",
    ),
)
_NAMES = (*message(), "location", "due_at", "event_type", "satisfaction", "handler", "reporter", "source_type")


def messages(seed: int, count: int) -> Iterator[bytes]:
    """`count` messages; about a third of them are good."""
    random = Random(seed)
    for number in range(count):
        yield _one(random, number)


def _one(random: Random, number: int) -> bytes:
    document = message(
        event_id=f"{random.getrandbits(32):08x}-0000-4000-8000-{number:012d}",
        report_id=f"F{number}",
        text=random.choice(("路灯不亮了", "楼道堆放杂物", "占道经营扰民", f"井盖缺失，电话{PLANTED}")),
    )
    for _ in range(random.choice((0, 0, 1, 1, 1, 2, 3))):
        random.choice(CHANGES)(random, document)
    body = _as_json(random, document)
    for _ in range(random.choice((0, 0, 0, 0, 0, 0, 1, 2))):
        body = random.choice(_DAMAGES)(random, body)
    return body.replace(b"\n", b" ") if random.random() < 0.99 else body


def _value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return random.choice(_TEXTS)
    if kind == 1:
        return random.choice(_NUMBERS)
    if kind == 2:
        return random.choice(_TIMES)
    if kind == 3:
        return random.choice(_IDS)
    if kind == 4:
        return random.choice((None, True, False))
    if kind == 5:
        return random.uniform(-1e6, 1e6)
    if kind == 6:
        return [_value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 7:
        return {random.choice((*_NAMES, *_TEXTS)): _value(random, depth + 1) for _ in range(random.randrange(4))}
    return _nested(random.choice((1, 10, 31, 32, 33, 64, 65, 200, 700)), random.choice("[{"))


def _nested(depth: int, kind: str) -> Any:
    value: Any = PLANTED
    for _ in range(depth):
        value = [value] if kind == "[" else {"a": value}
    return value


def _set(random: Random, document: Document) -> None:
    document[random.choice(_NAMES)] = _value(random)


def _set_likely(random: Random, document: Document) -> None:
    """A value of the field's own kind, at the edge of what is allowed."""
    name = random.choice(_NAMES)
    if name.endswith("_at"):
        document[name] = random.choice(_TIMES)
    elif name in ("severity", "satisfaction", "event_type", "schema_version"):
        document[name] = random.choice(_NUMBERS)
    elif name in ("event_id", "report_id", "grid_code"):
        document[name] = random.choice(_IDS)
    elif name == "location":
        document[name] = {
            "lon": random.choice(_NUMBERS),
            "lat": random.choice(_NUMBERS),
            "crs": "wgs84",
            "x": _value(random, 3),
        }
    else:
        document[name] = random.choice(_TEXTS)


def _remove(random: Random, document: Document) -> None:
    document.pop(random.choice(_NAMES), None)


def _add(random: Random, document: Document) -> None:
    document[random.choice(_TEXTS) or "extra"] = _value(random)


def _tail(random: Random, document: Document) -> None:
    """Something invisible after a text."""
    name = random.choice(_NAMES)
    if isinstance(document.get(name), str):
        document[name] += random.choice(("\n", "\r", "\0", " ", "\u200b", "\u0300", "\x85"))


CHANGES: tuple[Callable[[Random, Document], None], ...] = (_set, _set_likely, _set_likely, _remove, _add, _add, _tail)


def _as_json(random: Random, document: Document) -> bytes:
    text = json.dumps(
        document, ensure_ascii=random.random() < 0.3, separators=random.choice(((",", ":"), (", ", ": ")))
    )
    return text.encode("utf-8", "surrogatepass")


def _cut(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def _flip(random: Random, body: bytes) -> bytes:
    if not body:
        return body
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << random.randrange(8))]) + body[at + 1 :]


def _insert(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    piece = random.choice(
        (
            b"\0",
            b"\xff",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"\xef\xbb\xbf",
            b"\x1b",
            b",",
            b"}",
            b"NaN",
            b"\\ud800",
            b"1e9999",
            b"//",
        )
    )
    return body[:at] + piece + body[at:]


def _recode(random: Random, body: bytes) -> bytes:
    try:
        return body.decode().encode(random.choice(("utf-16", "gb18030", "utf-8-sig", "utf-32")))
    except UnicodeError:
        return body


def _double_key(random: Random, body: bytes) -> bytes:
    name = random.choice(_NAMES)
    return body[:-1] + f',"{name}":{json.dumps(_value(random, 3), ensure_ascii=True)}}}'.encode()


def _replace(random: Random, body: bytes) -> bytes:
    return random.choice(
        (
            b"",
            b"null",
            b"[]",
            b"{}",
            b'"x"',
            b"1",
            b"[" * 100_000,
            b'{"a":' * 20_000,
            b"a" * 70_000,
            (body * 200)[:_LARGEST],
        )
    )


_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut,
    _flip,
    _flip,
    _insert,
    _insert,
    _recode,
    _double_key,
    _replace,
)

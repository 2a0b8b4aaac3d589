"""Bad messages: for each reason of schemas/reasons.yaml, ways in which real producers break the rule."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

Message = dict[str, Any]
_encode = msgspec.json.encode
TOO_LARGE = 80_000  # bytes; the stream's default limit is 65,536
DEEP = 1_200


class BadKind(NamedTuple):
    """A way to be bad: the reason of the rejection, and the function that makes a good message bad."""

    reason: str
    way: str
    spoil: Callable[[Message], bytes | None]


def _with(**changes: Any) -> Callable[[Message], bytes]:
    return lambda message: _encode(message | changes)


def _without(field: str) -> Callable[[Message], bytes]:
    return lambda message: _encode({name: value for name, value in message.items() if name != field})


def _raw(change: Callable[[bytes], bytes]) -> Callable[[Message], bytes]:
    return lambda message: change(_encode(message))


def _nested(message: Message) -> bytes:
    return _encode(message)[:-1] + b',"attachment":' + b"[" * DEEP + b"]" * DEEP + b"}"


def _not_a_number(message: Message) -> bytes:
    return _encode(message | {"severity": "@"}).replace(b'"@"', b"NaN")


# Each changes a single field, so that each has exactly one reason.
KINDS: tuple[BadKind, ...] = (
    BadKind("empty", "tombstone", lambda message: None),
    BadKind("empty", "no bytes", lambda message: b""),
    BadKind("too_large", "80 kB text", _with(text="长" * (TOO_LARGE // 3))),
    BadKind("not_utf8", "GB18030", lambda message: _encode(message).decode().encode("gb18030")),
    BadKind(
        "not_utf8", "cut inside a character", _raw(lambda raw: raw.replace("，".encode(), b"\xef\xbc", 1) + b"\xff")
    ),
    BadKind("not_json", "truncated", _raw(lambda raw: raw[: len(raw) * 2 // 3].rsplit(b",", 1)[0])),
    BadKind("not_json", "NaN", _not_a_number),
    BadKind("not_json", "plain text", lambda message: str(message["text"]).encode()),
    BadKind("not_json", "null bytes", lambda message: b"\x00" * 64),
    BadKind("too_deep", "in an unknown field", _nested),
    BadKind("too_deep", "arrays only", lambda message: b"[" * 5_000 + b"]" * 5_000),
    BadKind("not_an_object", "array", _raw(lambda raw: b"[" + raw + b"]")),
    BadKind("not_an_object", "string", lambda message: _encode(message["text"])),
    BadKind("not_an_object", "null", lambda message: b"null"),
    BadKind("unknown_version", "2", _with(schema_version=2)),
    BadKind("unknown_version", "0", _with(schema_version=0)),
    BadKind("missing_field", "grid_code", _without("grid_code")),
    BadKind("missing_field", "event_id", _without("event_id")),
    BadKind("missing_field", "updated_at", _without("updated_at")),
    BadKind("wrong_type", "severity as text", _with(severity="2")),
    BadKind("wrong_type", "text as number", _with(text=12345)),
    BadKind("wrong_type", "location as text", _with(location="121.5,29.8")),
    BadKind("bad_value", "status", _with(status="done")),
    BadKind("bad_value", "severity", _with(severity=9)),
    BadKind("bad_value", "event_id", _with(event_id="12345")),
    BadKind("nil_event_id", "event_id", _with(event_id="00000000-0000-0000-0000-000000000000")),
    BadKind("bad_value", "grid_code", _with(grid_code="33020300100")),
    BadKind("bad_value", "time without offset", _with(updated_at="2026-01-01 08:00:00")),
    BadKind("bad_value", "empty text", _with(text="")),
    BadKind("bad_value", "longitude", _with(location={"lon": 1215.5, "lat": 29.8, "crs": "wgs84"})),
    BadKind("unknown_grid", "zeros", _with(grid_code="000000000000")),
    BadKind(
        "unknown_grid", "sequence", lambda message: _encode(message | {"grid_code": message["grid_code"][:9] + "999"})
    ),
    BadKind("grid_not_valid_that_day", "2010", _with(reported_at="2010-05-01T08:00:00+08:00", due_at=None)),
    BadKind("unknown_event_type", "777", _with(event_type=777)),
    BadKind("updated_before_reported", "2019", _with(updated_at="2019-05-01T08:00:00+08:00")),
    BadKind("in_the_future", "2099", _with(updated_at="2099-01-01T00:00:00+08:00")),
    BadKind("in_the_future", "9999", _with(updated_at="9999-12-31T00:00:00+00:00")),
    BadKind("before_the_epoch", "1970", _with(reported_at="1970-01-01T00:00:00+00:00", due_at=None)),
    BadKind("due_before_reported", "2019", _with(due_at="2019-05-01T08:00:00+08:00")),
    BadKind("due_too_late", "2099", _with(due_at="2099-01-01T00:00:00+08:00")),
    BadKind("satisfaction_not_closed", "dispatched", _with(status="dispatched", satisfaction=5)),
)

"""Decode: every record is either good or has the right reason, whatever bytes it holds."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.intake.decode import DECODED, Limits, decode
from pipelines.intake.rejects import REJECTS
from schemas.contract.v1 import FIELDS
from tests.support.messages import encoded, message, records, without

REASONS = [
    (None, "empty"),
    (b"", "empty"),
    (b"x" * 70_000, "too_large"),
    (b"\xff\xfe", "not_utf8"),
    (b'{"text": "\xff"}', "not_utf8"),
    (b'{"a"', "not_json"),
    (b'{"severity": NaN}', "not_json"),
    (b"[" * 5000 + b"]" * 5000, "too_deep"),
    (b"[1]", "not_an_object"),
    (b"null", "not_an_object"),
    (message(schema_version=2), "unknown_version"),
    (message(schema_version="1"), "wrong_type"),
    (message(severity="2"), "wrong_type"),
    (message(text=None), "wrong_type"),
    (message(severity=5), "bad_value"),
    (message(text=""), "bad_value"),
    (message(text="字" * 4001), "bad_value"),
    (message(status="lost"), "bad_value"),
    (message(grid_code="33020300100"), "bad_value"),
    (message(reported_at="2026-03-01T08:00:00"), "bad_value"),
    (message(location={"lon": 181, "lat": 0, "crs": "wgs84"}), "bad_value"),
    *[(without(name), "missing_field") for name in ("schema_version", "event_id", "grid_code", "text")],
]


@pytest.mark.parametrize(("value", "reason"), REASONS)
def test_reason(value: object, reason: str) -> None:
    good, rejects = decode(records(value))
    assert good.num_rows == 0
    assert rejects["reason"].to_pylist() == [reason]
    assert rejects["stage"].to_pylist() == ["decode"]


def test_bad_rows_cost_their_neighbours_nothing() -> None:
    bad = [value for value, _ in REASONS]
    mixed = [item for value in bad for item in (message(), value)]
    good, rejects = decode(records(*mixed))
    assert good["offset"].to_pylist() == list(range(0, 2 * len(bad), 2))
    assert rejects["offset"].to_pylist() == list(range(1, 2 * len(bad), 2))


def test_unknown_fields_are_kept_in_extra() -> None:
    unknown = {"weather": "雨", "a.b": {"c": [1, None]}}
    good, rejects = decode(records(message(**unknown), message()))
    assert rejects.num_rows == 0
    assert [json.loads(text or "{}") for text in good["extra"].to_pylist()] == [unknown, {}]


def test_all_fields_arrive_typed() -> None:
    full = message(
        due_at="2026-03-02T00:00:00.123456Z",
        source_type="sim/405",
        event_type=405,
        location={"lon": 121.5, "lat": 29.9, "crs": "gcj02"},
        satisfaction=5,
        handler="H1",
        reporter="someone",
    )
    row = decode(records(full)).good.to_pylist()[0]
    assert (row["lon"], row["lat"], row["crs"]) == (121.5, 29.9, "gcj02")
    assert row["reported_at"].isoformat() == "2026-03-01T00:00:00+00:00"
    assert row["due_at"].microsecond == 123_000
    assert {name: row[name] for name in ("event_type", "satisfaction", "handler")} == {
        "event_type": 405,
        "satisfaction": 5,
        "handler": "H1",
    }


def test_a_reason_never_quotes_the_value() -> None:
    rejects = decode(records(message(status="13812345678"))).rejects
    assert "138" not in rejects["detail"][0].as_py()


def test_the_size_limit_is_a_setting() -> None:
    size = len(encoded(message()) or b"")
    assert decode(records(message()), Limits(max_bytes=size)).good.num_rows == 1
    assert decode(records(message()), Limits(max_bytes=size - 1)).rejects["reason"][0].as_py() == "too_large"


def test_nothing_in_nothing_out() -> None:
    good, rejects = decode(records(message()).slice(0, 0))
    assert (good.num_rows, rejects.num_rows) == (0, 0)
    assert (good.schema, rejects.schema) == (DECODED, REJECTS)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_values = st.one_of(
    st.none(),
    st.binary(max_size=200),
    _json.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(FIELDS), _json, max_size=4).map(lambda changes: encoded(message(**changes))),
)


@settings(max_examples=300)
@given(st.lists(_values, min_size=1, max_size=8))
def test_every_record_ends_exactly_once_and_nothing_raises(values: list[bytes | None]) -> None:
    good, rejects = decode(records(*values))
    assert sorted(good["offset"].to_pylist() + rejects["offset"].to_pylist()) == list(range(len(values)))
    assert good.schema == DECODED
    assert rejects.schema == REJECTS

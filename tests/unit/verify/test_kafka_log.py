"""Reading a message's identity leniently."""

import uuid

import pytest

from pipelines.verify.kafka_log import event_id

ID = "2f5c1d9e-0000-4000-8000-00000000abcd"


@pytest.mark.parametrize(
    "value",
    [
        f'{{"event_id": "{ID}"}}',
        f'{{"a": [1, {{"event_id": 5}}], "event_id": "{ID.upper()}", "text": "路灯"}}',
        f'{{"event_id": "{ID}", "schema_version": 99}}',
    ],
)
def test_an_identity_is_read_whatever_the_contract_says(value: str) -> None:
    assert event_id(value.encode()) == uuid.UUID(ID).bytes


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"event_id": null}',
        b'{"event_id": 7}',
        b'{"event_id": "x"}',
        b'{"event_id": "' + ID.encode(),
        b"\xff\xfe",
        b'{"a": ' + b"[" * 100_000,
        f'{{"event_id": "{ID}"}} tail'.encode(),
    ],
)
def test_what_has_none_has_none(value: bytes) -> None:
    assert event_id(value) is None


def test_the_nil_uuid_is_an_id() -> None:
    assert event_id(b'{"event_id": "00000000-0000-0000-0000-000000000000"}') == bytes(16)

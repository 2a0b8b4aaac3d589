"""Hashes of personal content depend on the key, and the proof computes the same ones with code of its own."""

import numpy as np
import pytest

from pipelines.privacy.hashes import key_id, payload_hash, reporter_hasher
from pipelines.verify.completeness import Comparison
from pipelines.verify.kafka_log import Batch
from pipelines.verify.stored import Stored
from tests.support.world import HASH_KEY, keyed_hash

VALUE = b'{"text":"13800138000"}'


def test_the_hash_of_a_payload_needs_the_key() -> None:
    assert payload_hash(HASH_KEY, VALUE) == keyed_hash(VALUE) != payload_hash(b"another key, as long", VALUE)
    assert len(payload_hash(HASH_KEY, VALUE)) == 64
    assert payload_hash(HASH_KEY, None) == payload_hash(HASH_KEY, b"")


def test_a_key_of_any_length() -> None:
    lengths = (16, 64, 65, 200)
    assert len({reporter_hasher(b"k" * length)("张三") for length in lengths}) == 4
    assert len({key_id(b"k" * length) for length in lengths}) == 4


@pytest.mark.parametrize(
    ("stored", "length", "same", "by_length"),
    [
        (payload_hash(HASH_KEY, VALUE), len(VALUE), True, 0),
        (payload_hash(HASH_KEY, VALUE[::-1]), len(VALUE), False, 0),
        (payload_hash(b"another key, as long", VALUE), len(VALUE), True, 1),
        ("0" * 64, len(VALUE), True, 1),  # removed by a migration
        ("0" * 64, len(VALUE) + 1, False, 0),
    ],
)
def test_the_proof_compares_what_it_can(stored: str, length: int, same: bool, by_length: int) -> None:
    offsets, ids = np.array([7]), np.frombuffer(bytes(16), "V16")
    row = Stored(offsets[:0], ids[:0], offsets, np.array([stored]), np.array([length]))
    comparison = Comparison(Batch(offsets, ids, np.ones(1, np.bool_), [VALUE]), row, HASH_KEY)
    assert comparison.rejected(0, 0) is same
    assert comparison.by_length == by_length

"""Masking: personal numbers go, codes and figures stay, and quarantine payloads are no way around it."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.mask import mask, mask_column, reporter_hasher
from pipelines.rejects import quarantine_row

HASH = reporter_hasher(b"k" * 16)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话13812345678请回", "电话[手机号]请回"),
        ("138 1234 5678", "[手机号]"),
        ("+86-13812345678", "[手机号]"),
        ("１３８１２３４５６７８", "[手机号]"),
        ("0574-87654321转", "[固定电话]转"),
        ("身份证33020319900101123X。", "身份证[身份证号]。"),
        ("卡号6222021234567890123", "卡号[银行卡号]"),
        ("6222 0212 3456 7890", "[银行卡号]"),
        ("浙B12345违停", "[车牌号]违停"),
        ("浙B·D12345", "[车牌号]"),
        ("邮箱a.b-c@example.com，", "邮箱[邮箱]，"),
    ],
)
def test_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "网格330203001001有3处隐患",
        "0f0e0d0c-0b0a-4908-8706-050403020100",
        "2026-03-01T08:00:00+08:00",
        "12345热线",
        "浙江B区",
        "欠薪12000元，共15人",
        "单号20260301123456789012",
    ],
)
def test_left_alone(text: str) -> None:
    assert mask(text) == text


def test_a_column_is_masked_as_its_rows_are() -> None:
    texts = ["好", None, "", "电话13812345678", "１３８１２３４５６７８", "浙B12345"]
    column = pa.chunked_array([texts[:2], texts[2:]])
    assert mask_column(column).to_pylist() == [None if text is None else mask(text) for text in texts]


def test_the_hash_depends_on_the_key_and_names_nobody() -> None:
    assert HASH("张三") == HASH("张三") != reporter_hasher(b"x" * 16)("张三")
    assert HASH(None) == HASH("") == ""
    assert len(HASH("张三")) == 32


@pytest.mark.parametrize("broken", [b"", b"}"])
def test_quarantine_holds_no_personal_data(broken: bytes) -> None:
    document = {"text": "13812345678", "reporter": "张三", "nested": [{"reporter": "李四", "m": "a@b.cn"}]}
    row = quarantine_row(b"13812345678", json.dumps(document, ensure_ascii=False).encode() + broken, HASH)
    stored = json.dumps(row, ensure_ascii=False)
    for secret in ("13812345678", "张三", "李四", "a@b.cn"):
        assert secret not in stored
    assert HASH("张三") in stored


def test_quarantine_survives_any_bytes() -> None:
    row = quarantine_row(None, b"\xff\x00" * 50_000, HASH)
    assert len(row["payload"]) <= 65_536
    assert row["payload_bytes"] == 100_000
    assert row["event_id"] is None


@settings(max_examples=2000, deadline=None)
@given(st.text(st.sampled_from("0123456789１３８ -.+@浙B·Xx电请abc"), max_size=40))
def test_the_quick_look_misses_nothing(text: str) -> None:
    assert mask_column(pa.array([text])).to_pylist() == [mask(text)]

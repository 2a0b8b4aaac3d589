"""Masking: personal data is replaced, codes and figures are not changed, and quarantine stores masked payloads."""

import json
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UserFault
from pipelines.intake.rejects import quarantine_row
from pipelines.privacy.hashes import reporter_hasher
from pipelines.privacy.mask import mask, masker, read_patterns

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
    assert masker().column(column).to_pylist() == [None if text is None else mask(text) for text in texts]


def test_the_hash_depends_on_the_key_and_hides_the_name() -> None:
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


@settings(max_examples=300)
@given(st.text(st.sampled_from("0123456789１３８ -.+@浙B·Xx电请abc"), max_size=40))
def test_the_fast_check_misses_nothing(text: str) -> None:
    assert masker().column(pa.array([text])).to_pylist() == [mask(text)]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("身份证 330203 19900101 1233", "身份证 330203 19900101 1233"),  # wrong check character, and separated
        ("身份证330203-19900101-0014，", "身份证[身份证号]，"),  # right: GB 11643-1999
        ("旧证330203900101123。", "旧证[身份证号]。"),
        ("订单330203901301123。", "订单330203901301123。"),  # month 13
        ("卡4111 1111 1111 1111。", "卡[银行卡号]。"),  # the card networks' published test number
        ("编号4111111111111112", "编号4111111111111112"),
        ("卡号：4111111111111112", "卡号：[银行卡号]"),
        ("打(138)12345678", "打[手机号]"),
        ("138-123-45678或138.1234.5678", "[手机号]或[手机号]"),
        ("（0574）87654321转801", "[固定电话]"),
        ("+86-574-87654321", "[固定电话]"),
        ("电话：87654321", "电话：[固定电话]"),
        ("浙b12345、浙B D12345、浙B1234警、粤Z1234港", "[车牌号]、[车牌号]、[车牌号]、[车牌号]"),
        ("张女士反映，王建国师傅和欧阳老师在场", "[姓名]女士反映，[姓名]师傅和[姓名]老师在场"),
        ("联系人：张三，姓名：李四", "联系人：[姓名]，姓名：[姓名]"),
        ("我叫王五，住三楼", "我叫[姓名]，住三楼"),
        ("李建国 13812345678", "[姓名] [手机号]"),
        ("请回电13812345678（张三）", "请回电[手机号]（[姓名]）"),
    ],
)
def test_written_in_many_ways(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "高中老师补课",
        "班主任老师",
        "任何经理",
        "由于老师少",
        "保安师傅",
        "语文老师",
        "联系人数不足",
        "反映人员超标",
        "周边阿姨",
    ],
)
def test_words_that_are_not_names(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("校方王老师", "校方[姓名]老师"),
        ("高中陈老师", "高中[姓名]老师"),
        ("班主任李伟老师", "班主任[姓名]老师"),
        ("西安王先生", "西安[姓名]先生"),
        ("感谢罗局长", "感谢[姓名]局长"),
        ("谢谢李书记", "谢谢[姓名]书记"),
        ("厂方黄科长", "厂方[姓名]科长"),
    ],
)
def test_a_name_behind_a_word_that_could_begin_one(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text", ["屠宰场老板", "牛奶奶白色", "前两任校长", "高年级同学", "谢谢书记", "任何老师", "69.80 27.92 78.50 47.10"]
)
def test_words_and_figures_that_are_not_people(text: str) -> None:
    assert mask(text) == text


def test_what_was_masked_is_counted_by_kind() -> None:
    counts: Counter[str] = Counter()
    texts = pa.array(["张女士13812345678", "好", None, "13812345678或13912345678"])
    column = masker().column(texts, counts)
    assert column.to_pylist() == ["[姓名]女士[手机号]", "好", None, "[手机号]或[手机号]"]
    assert counts == {"手机号": 3, "姓名": 1}


def test_unknown_fields_stay_json() -> None:
    column = masker().json_column(
        pa.array(['{"phone":13812345678,"n":5,"contact_name":"张三"}', "", '{"a":1.5}']), HASH
    )
    assert column.to_pylist() == ['{"phone":"[手机号]","n":5,"contact_name":"[姓名]"}', "", '{"a":1.5}']


def test_a_number_with_a_decimal_point_is_masked() -> None:
    column = masker().json_column(pa.array(['{"contact_phone":13800138000.0,"n":1e300,"x":13800138000.5}']), HASH)
    assert json.loads(column[0].as_py()) == {"contact_phone": "[手机号]", "n": 1e300, "x": 13800138000.5}


def test_a_masked_id_still_tells_reports_apart() -> None:
    ids = ["13800138000-1", "13800138001-1", "CASE-5", "x" * 53 + "13800138000", "y" * 53 + "13800138000", None]
    column = masker().identity_column(pa.array(ids), HASH).to_pylist()
    assert column == masker().identity_column(pa.array(ids), HASH).to_pylist()
    assert len(set(column)) == len(ids)
    assert column[2] == "CASE-5"
    assert column[0].startswith("[手机号]-1~")
    assert all(len(stored) <= 64 and "13800" not in stored for stored in column if stored)
    assert column[0] != masker().identity(ids[0], reporter_hasher(b"x" * 16))


@given(st.text(st.sampled_from("0123456789-浙BCASE@a.cn"), min_size=1, max_size=64))
def test_an_id_that_is_masked_again_stays(report_id: str) -> None:
    stored = masker().identity(report_id, HASH)
    assert masker().identity(stored, HASH) == stored


def test_a_rejected_message_sent_again_belongs_to_the_same_report() -> None:
    accepted = masker().identity("13800138000-1", HASH)
    for broken in (b"", b"}"):
        row = quarantine_row(None, b'{"report_id": "13800138000-1"}' + broken, HASH)
        assert accepted in row["payload"]
        assert row["report_id"] == ("" if broken else accepted)
    assert masker().document({"report_id": 13800138000}, HASH)["report_id"].startswith("[手机号]~")


def test_extra_patterns_hold_for_every_column_of_a_rejected_message() -> None:
    own = masker((("工号", r"GW\d{4}"),))
    document = {"report_id": "GW1234", "grid_code": "GW1234", "source": "GW1234", "text": "GW1234"}
    row = quarantine_row(b"GW1234", json.dumps(document).encode(), HASH, own)
    assert "GW1234" not in str(row)


def test_extra_patterns(tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text("- name: 工号\n  regex: 'GW\\d{4}'\n", "utf-8")
    own = masker(read_patterns(file))
    assert own.column(pa.array(["工人GW1234", "好"])).to_pylist() == ["工人[工号]", "好"]
    row = quarantine_row(None, b'{"text":"GW1234"', HASH, own)
    assert row["payload"] == '{"text":"[工号]"'


@pytest.mark.parametrize(
    "content", ["- name: a\n  regex: '('\n", "- name: a\n  regex: 'x*'\n", "a: b\n", "- name: a\n", "["]
)
def test_a_wrong_pattern_file_is_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.yaml").write_text(content, "utf-8")
    with pytest.raises(UserFault) as fault:
        read_patterns(tmp_path / "bad.yaml")
    assert "\n" not in str(fault.value)
    assert "bad.yaml" in str(fault.value)


_PIECES = [
    *"0123456789１- .@浙Bb·Xx电请a，：（）",
    "138",
    "0574",
    "张",
    "女士",
    "老师",
    "联系人",
    "我叫",
    "三",
    "电话",
    "姓名",
    "WJ",
    "警",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(_PIECES), max_size=24).map("".join))
def test_the_fast_check_misses_no_name_or_number(text: str) -> None:
    assert masker().column(pa.array([text])).to_pylist() == [mask(text)]


def test_a_long_run_is_masked_fast() -> None:
    started = time.monotonic()
    for run in ("a" * 65_536, "1" * 65_536, "a@" * 30_000, "138 " * 16_000, "张" * 65_536):
        mask(run)
    assert time.monotonic() - started < 5


@settings(max_examples=200)
@given(st.text(st.sampled_from("0123456789 -.@浙B张女士电请我叫王五：姓名[]"), max_size=30))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_an_event_id_is_not_a_telephone_number() -> None:
    event_id = "0f0e0d0c-c153-4123-8456-a13812345678"
    assert masker().document({"event_id": event_id}, str) == {"event_id": event_id}
    assert masker().document({"event_id": "13812345678"}, str) == {"event_id": "[手机号]"}


def test_a_name_in_a_broken_document_is_masked() -> None:
    row = quarantine_row(b"", '{"contact": "欧阳建国", "text": "墙'.encode(), str)
    assert row["payload"] == '{"contact": "[姓名]", "text": "墙'

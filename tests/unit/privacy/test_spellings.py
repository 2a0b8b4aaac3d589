"""Personal data in unusual spellings and of further kinds, and what looks like it; inputs of any length."""

import re
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.intake.rejects import PAYLOAD_LIMIT, quarantine_row
from pipelines.privacy.hashes import reporter_hasher
from pipelines.privacy.mask import mask, masker

HASH = reporter_hasher(b"k" * 16)
_MARKS = (
    *(
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u00ad",
        "\u2060",
        "\ufe0f",
        "\u202e",
        "\u034f",
        "\u0301",
        "\x00",
        "\u00a0",
        "\u2009",
    ),
    *(" ", "  ", ".", "-", "—", "·", "•", "/", "／", "~", "～", "\n", "\r\n", "\u3000", "．", "－", "_", "，"),
)


@pytest.mark.parametrize("mark", _MARKS)
def test_a_number_split_by_a_mark(mark: str) -> None:
    assert mask(f"请联系{mark.join(('138', '0013', '8000'))}，谢谢您") == "请联系[手机号]，谢谢您"


@pytest.mark.parametrize(
    "number",
    [
        *("１３８００１３８０００", "١٣٨٠٠١٣٨٠٠٠", "१३८००१३८०००", "①③⑧⓪⓪①③⑧⓪⓪⓪", "一三八零零一三八零零零"),
        *("幺三八〇〇幺三八〇〇〇", "一三八 零零一三 八零零零", "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎", "1三8零零1三8零零零"),
        *("13 80 01 38 000", "138-001-38000", "1 3 8 0 0 1 3 8 0 0 0", "1\u200b3\u200b8\u200b00138000"),
    ],
)
def test_a_number_in_other_digits_and_groups(number: str) -> None:
    assert mask(f"请联系{number}，谢谢您") == "请联系[手机号]，谢谢您"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("1380013800013900139000", "[手机号][手机号]"),
        ("电话138001380001", "电话[手机号]"),
        ("电话1e999913800138000", "电话[手机号]"),
        ("请联系9913800138000", "请联系[手机号]"),
        ("张工call13800138000ok", "张工call[手机号]ok"),
        ("王强投诉楼上漏水", "[姓名]投诉楼上漏水"),
        ("市民王强反映", "市民[姓名]反映"),
        ("昨天欧阳建国报警", "昨天欧阳建国报警"),  # inside a clause: a known miss
        ("李小明的妈妈来电", "[姓名]的妈妈来电"),
        ("我是张伟，住三楼", "我是[姓名]，住三楼"),
        ("加微信abc_12345", "加微信[微信号]"),
        ("微信号：zhangsan", "微信号：[微信号]"),
        ("QQ：123456789", "QQ：[QQ号]"),
        ("护照E12345678，E A1234567", "护照[证件号]，E A1234567"),
        ("持EA1234567入境", "持[证件号]入境"),
        ("H1234567890和M12345678", "[证件号]和[证件号]"),
        ("军官证号：A1234567", "军官证号：[证件号]"),
        ("3栋2单元501室漏水", "3栋2单元[房号]室漏水"),
        ("住5号楼1203", "住5号楼[房号]"),
        ("阳光小区3-2-501", "阳光小区3-2-[房号]"),
        ("六幢五〇一室", "六幢[房号]室"),
        ("Apt 4B, 12 Main St", "Apt [房号], 12 Main St"),
        ("call (617) 555-1234 or 617.555.1234", "call [固定电话] or [固定电话]"),
        ("phone: 6175551234", "phone: [固定电话]"),
        ("+44 20 7946 0958", "[固定电话]"),
    ],
)
def test_further_kinds(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        *(
            "微信公众号12345",
            "微信支付失败",
            "QQ音乐",
            "3室2厅",
            "共500户",
            "2018年3栋2018年",
            "局517室",
            "18栋104号商铺",
        ),
        *(
            "解放路128号",
            "27弄弄口",
            "400-820-8820",
            "800 810 8888",
            "共 300 400 5000 元",
            "H20261129",
            "G15高速",
            "①换灯②修路",
        ),
        *("谢谢反映", "江苏要求", "76万强烈要求", "常常的电话", "王国的孩子", "一二三四五六七", "增加+12345678元"),
        *("sim-1-330200-20260301-000000", "教室302", "房价501元"),
    ],
)
def test_what_is_not_personal(text: str) -> None:
    assert mask(text) == text


def test_thanks_after_a_number_are_not_a_person() -> None:
    assert mask("联系电话13800138000，谢谢！") == "联系电话[手机号]，谢谢！"
    assert mask("13800138000谢谢") == "[手机号]谢谢"
    assert mask("13800138000（请回电）") == "[手机号]（请回电）"


_PIECES = [
    *"0123456789一三八①٣１AEGHM+-·~/.#@ \n\u200b，（）",
    *(
        "138",
        "1380013",
        "微信",
        "QQ",
        "护照",
        "室",
        "单元",
        "栋",
        "小区",
        "王",
        "强",
        "投诉",
        "的妈妈",
        "市民",
        "我是",
        "[手机号]",
    ),
    *("617", "555-1234", "call ", "Apt ", "sim-", "0574", "86", "浙B", "女士", "电话", "谢谢"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=16).map("".join))
def test_masking_is_stable_and_the_fast_checks_miss_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once) == once
    assert masker().column(pa.array([text])).to_pylist() == [once]
    ids = masker().identity_column(pa.array([text]), HASH).to_pylist()
    assert ids == [masker().identity(text, HASH)]


_RUNS = (
    *(
        "a",
        "1",
        "a@",
        "138 ",
        "张",
        "1-",
        "13 ",
        "一",
        "①",
        "王强",
        "微信a",
        "微信",
        "+1 ",
        "2栋",
        "区1-",
        "call",
        "E1",
        "\u200b1",
    ),
    *(
        "[手机号]",
        "王",
        "李小明的",
        "电话",
        "(",
        "a.",
        "号码是",
        "86",
        "0574-",
        "Apt ",
        "证件",
        "12345678901234567X",
        "1.1.",
        "浙B",
    ),
)


@pytest.mark.parametrize("run", _RUNS)
def test_masking_takes_time_in_proportion_to_length(run: str) -> None:
    short, long = _seconds(run, 10_000), _seconds(run, 100_000)
    assert long < 40 * short + 0.1, (short, long)


def _seconds(run: str, length: int) -> float:
    text = (run * length)[:length]
    best = 1e9
    for _ in range(2):
        started = time.perf_counter()
        mask(text)
        best = min(best, time.perf_counter() - started)
    return best


def test_a_number_at_the_cut_of_a_long_payload_is_masked() -> None:
    for before in range(PAYLOAD_LIMIT - 12, PAYLOAD_LIMIT + 2, 3):
        row = quarantine_row(None, b"a@b.cn " * 300 + b" " * (before - 2100) + b"13800138000 " * 200, HASH)
        assert not re.search("1380|8000", row["payload"]), before
        assert row["payload"].startswith("[邮箱]")

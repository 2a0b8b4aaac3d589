"""Patterns of personal data in reports: telephone, ID-card and bank-card numbers, plates and mail addresses.

A match of a pattern may still be refused by its check: an ID number has a region, a date and a
check character (GB 11643-1999), a bank card has Luhn's check digit (ISO/IEC 7812-1). All patterns
expect ASCII digits and letters, as `pipelines.privacy.spelling` returns them.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from pipelines.privacy.spelling import RUN_CLASS, SEPARATORS

Match = re.Match[str]


class Pattern(NamedTuple):
    """`replace` returns the replacement of a match, which may be the match itself; None: replaced
    by `[kind]`."""

    kind: str
    regex: re.Pattern[str]
    replace: Callable[[Match], str] | None = None


PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_S = f"[{SEPARATORS}]"
# No letter, digit or hyphen may be next to a number without a check digit: ids, codes and UUIDs are
# not telephone numbers. A JSON escape such as \n before it does not count as a letter.
_BEFORE, _AFTER = r"(?:(?<![0-9A-Za-z_-])|(?<=\\[nrtbf]))", r"(?![0-9A-Za-z_])"

_REGIONS = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_ID_WEIGHTS, _ID_CHECKS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"
_CARD_LABEL = re.compile(r"(?:卡号|银行卡|储蓄卡|信用卡|账号|帐号|账户|帐户)[^0-9\n]{0,6}$")
_CARD = re.compile(r"3[0-9]|4|5[0-9]|6[0-9]|9[0-9]|2(?:2[2-9]|[3-6][0-9]|7[01])[0-9]")


def _bare(number: str) -> str:
    return number if number.isdigit() else re.sub(r"[^0-9Xx]", "", number).upper()


def id_checked(number: str) -> bool:
    """Whether the last of 18 characters is the correct check character."""
    return _ID_CHECKS[sum(int(d) * w for d, w in zip(number, _ID_WEIGHTS, strict=False)) % 11] == number[17]


def luhn(number: str) -> bool:
    """Whether the last digit is the correct check digit by Luhn's algorithm."""
    doubled = (int(digit) * (1 + i % 2) for i, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _born(digits: str) -> bool:
    try:
        return 1900 <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).year <= 2099
    except ValueError:
        return False


def _id_card(match: Match) -> str:
    """A wrong check character is accepted if the digits are not separated: a mistyped number still
    identifies a person."""
    number = _bare(match[0])
    plausible = _REGIONS.match(number) and _born(number[6:14]) and (number == match[0].upper() or id_checked(number))
    return "[身份证号]" if plausible else match[0]


def _old_id_card(match: Match) -> str:
    number = match[0]
    return "[身份证号]" if _REGIONS.match(number) and _born("19" + number[6:12]) else number


def _bank_card(match: Match) -> str:
    """The longest leading part, cut between groups, that is a card number. All groups are separated
    by the same character: a row of decimal fractions is not a card."""
    written = match[0]
    ends = [i for i in range(len(written), 12, -1) if i == len(written) or not written[i].isdigit()]
    for end in ends:
        number, marks = _bare(written[:end]), set(re.sub("[0-9]", "", written[:end]))
        if len(number) >= 13 and len(marks) <= 1 and _CARD.match(number) and _is_card(number, match):
            return "[银行卡号]" + written[end:]
    return written


def _grouped_mobile(match: Match) -> str:
    """A mobile number in unusual groups: 11 digits, separated by one and the same mark."""
    marks = re.findall("[^0-9]", match[0])
    decimals = marks[0] == "." and (len(marks) == 1 or re.search("[0-9]{5}", match[0]))
    is_number = len(match[0]) - len(marks) == 11 and len(set(marks)) == 1 and not decimals
    return "[手机号]" if is_number else match[0]


def _spaced(match: Match) -> str:
    """Groups with spaces alone are a telephone number in an English text only: elsewhere they are a row of figures."""
    return match[0] if not match.string.isascii() and re.fullmatch("[0-9 ]+", match[0]) else "[固定电话]"


def _is_card(number: str, match: Match) -> bool:
    labelled = _CARD_LABEL.search(match.string, max(match.start() - 12, 0), match.start())
    return luhn(number) or bool(labelled) or (number.startswith("62") and len(number) >= 16)


_LOCAL_LABELS = "电话|座机|致电|号码|拨打|来电|回电|电联"
NUMBERS = (
    Pattern("身份证号", re.compile(rf"(?<![0-9])[1-8]\d(?:{_S}?\d){{15}}{_S}?[\dXx](?![0-9])"), _id_card),
    Pattern("身份证号", re.compile(rf"{_BEFORE}[1-8]\d{{14}}{_AFTER}"), _old_id_card),
    Pattern("银行卡号", re.compile(rf"{_BEFORE}[2-69]\d(?:{_S}?\d){{11,17}}(?![0-9])"), _bank_card),
    Pattern(
        "手机号",
        re.compile(
            rf"(?<![0-9])(?:(?:\+|00)?86{_S}{{0,2}}|[(（]\+?86[)）]{_S}?)?(?:"
            rf"[(（]?1[3-9]\d[)）]?{_S}{{0,2}}\d{{4}}{_S}{{0,2}}\d{{4}}"
            rf"|1[3-9]\d\d{_S}(?:\d{{3}}{_S}\d{{4}}|\d{{4}}{_S}\d{{3}})"
            rf"|1[3-9]\d{_S}\d{{3}}{_S}\d{{5}}|1[3-9]\d{{3}}{_S}\d{{6}}|1{_S}[3-9](?:{_S}\d){{9}})(?![0-9])"
        ),
    ),
    Pattern(
        "固定电话",
        re.compile(
            rf"{_BEFORE}(?:(?:\+|00)?86{_S}?)?[(（]?(?:0(?:10|2\d|[3-9]\d\d)|(?<=86|6[- ])[1-9]\d{{1,2}})[)）]?"
            rf"{_S}{{0,2}}[2-9]\d{{2,3}}{_S}?\d{{4}}(?:{_S}?(?:转|分机|ext\.?|#|-){_S}?\d{{1,6}})?{_AFTER}"
        ),
    ),
    Pattern(
        "手机号",
        re.compile(r"(?<![0-9])(?:1[3-9][0-9]{9}){2,}(?![0-9])"),
        lambda match: "[手机号]" * (len(match[0]) // 11),
    ),
    Pattern(
        "手机号",
        re.compile(rf"(?<![0-9])(?<![0-9]{_S})1[3-9][0-9]{{0,6}}(?:{_S}[0-9]{{2,8}}){{1,4}}(?!{_S}?[0-9])"),
        _grouped_mobile,
    ),
    Pattern(
        "手机号",
        re.compile(r"(?<![0-9,，])1[3-9][0-9][,，、*]{1,2}[0-9]{4}[,，、*]{1,2}[0-9]{4}(?![0-9])(?![,，、][0-9])"),
    ),
    Pattern(
        "手机号",
        re.compile(
            r"(?P<label>(?:电话|手机|联系方式|联系|号码|致电|拨打|来电)(?:号码?)?(?:是|为|[:：])? ?)"
            r"(?:1[3-9][0-9]{10,13}|[0-9A-Za-z]{1,8}1[3-9][0-9]{9})(?![0-9])"
        ),
        lambda match: f"{match['label']}[手机号]",
    ),
    # Of other countries: with a plus and 8 to 15 digits (ITU-T E.164), and as written in North America, except for the
    # Chinese hotlines 400 and 800.
    Pattern(
        "固定电话",
        re.compile(rf"(?<![0-9A-Za-z])\+[1-9](?:[{SEPARATORS}()]{{0,2}}[0-9]){{7,14}}(?![0-9]|元|%)"),
    ),
    Pattern(
        "固定电话",
        re.compile(
            r"(?<![0-9A-Za-z_.-])(?:1[ .-])?(?:\((?!400|800)[2-9][0-9]{2}\)[ .-]?|(?!400|800)[2-9][0-9]{2}[ .-])"
            r"[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9A-Za-z_.-]?[0-9])"
        ),
        _spaced,
    ),
    Pattern(
        "固定电话",
        re.compile(
            r"(?i)(?<![a-z])(?P<label>(?:phone|call|cell|tel|text|contact)[^0-9\n]{0,12})1?[2-9][0-9]{9}(?![0-9a-z])"
        ),
        lambda match: f"{match['label']}[固定电话]",
    ),
    Pattern(
        "固定电话",
        re.compile(rf"(?<={_LOCAL_LABELS})((?:是|为|号|[:：])?{_S}?)[2-9]\d{{2,3}}{_S}?\d{{4}}{_AFTER}"),
        lambda match: f"{match[1]}[固定电话]",
    ),
)
MAIL = Pattern("邮箱", re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+ ?@ ?[A-Za-z0-9.-]+\.[A-Za-z]{2,}"))
_PLATE_LETTER = "[A-HJ-NP-Za-hj-np-z]"
PLATE = Pattern(
    "车牌号",
    re.compile(
        rf"(?:[{PROVINCES}] ?{_PLATE_LETTER}[·•・.\- ]?(?=[A-Za-z]{{0,4}}[0-9])"
        rf"(?:[A-HJ-NP-Za-hj-np-z0-9]{{4}}(?:[警学挂港澳试超领]|应急)|[A-HJ-NP-Za-hj-np-z0-9]{{5,6}}{_AFTER})"
        rf"|WJ[·•・.\- ]?[{PROVINCES}][·•・.\- ]?[0-9]{{4}}[0-9A-Z]{_AFTER})"
    ),
)
# Fast checks in RE2 for whole columns: each matches all texts that the patterns of its name could
# change.
_GAP = rf"[{SEPARATORS}()（）,，、*]{{0,2}}"
QUICK_LOCAL = rf"(?:{_LOCAL_LABELS})[^0-9]{{0,4}}[2-9][0-9]{{2}}|\+[^0-9]{{0,2}}[0-9]"
QUICK_NUMBER = rf"(?:[0-9{RUN_CLASS}]{_GAP}){{9}}[0-9{RUN_CLASS}]|{QUICK_LOCAL}"
QUICK_PLATE = rf"[{PROVINCES}] ?[A-Za-z]|WJ[·•・.\- ]?[{PROVINCES}]"
# The same for ids, which are mostly digits: the starts and ends of numbers too, so that few ids are looked at closely.
_START, _BOUND = "(?:^|[^0-9])", r"(?:^|[^0-9A-Za-z_-]|\\[nrtbf])"
QUICK_ID_NUMBER = "|".join(
    (
        rf"{_START}[1-8][0-9](?:{_S}?[0-9]){{15}}{_S}?[0-9Xx](?:[^0-9]|$)",
        rf"{_BOUND}(?:[1-8][0-9]{{14}}|(?:[34569][0-9]|2[2-7])(?:{_S}?[0-9]){{11}})",
        rf"(?:^|[^0-9]|86)1(?:[3-9](?:{_GAP}[0-9]){{9}}|{_S}[3-9](?:{_S}[0-9]){{9}})",
        rf"(?:{_BOUND}[(（]?|[(（]|86{_S}?[(（]?)0[0-9]{{2,3}}[)）]?{_S}{{0,2}}[2-9][0-9]{{2,3}}{_S}?[0-9]{{4}}",
        rf"86{_S}?[(（]?[1-9][0-9]{{1,2}}[)）]?{_S}{{0,2}}[2-9][0-9]{{2,3}}{_S}?[0-9]{{4}}",
        r"(?:^|[^0-9]|1[ .-])[2-9][0-9]{2}[). -]{1,2}[2-9][0-9]{2}[ .-][0-9]{4}",
        rf"电话|手机|联系|号码|致电|拨打|来电|(?i:phone|call|cell|tel|text|contact)|[{RUN_CLASS}]|{QUICK_LOCAL}",
    )
)

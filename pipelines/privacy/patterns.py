"""Patterns of personal data in reports: numbers of people, plates, mail addresses, and names next
to a title or label.

A match of a pattern may still be refused by its check: an ID number has a region, a date and a
check character (GB 11643-1999), a bank card has Luhn's check digit (ISO/IEC 7812-1). All patterns
expect ASCII digits and letters.
"""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import yaml

Match = re.Match[str]


class Pattern(NamedTuple):
    """`replace` returns the replacement of a match, which may be the match itself; None: replaced
    by `[kind]`."""

    kind: str
    regex: re.Pattern[str]
    replace: Callable[[Match], str] | None = None


# One separator may be between the groups of a number, as people and forms write them.
SEPARATORS = r" \t\x{00a0}\x{3000}.·\-\x{2010}-\x{2015}\x{2212}_"
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_S = "[" + re.sub(r"\\x\{(\w+)\}", r"\\u\1", SEPARATORS) + "]"
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


def _any(*names: str) -> str:
    """A regular expression that matches each word of these lists."""
    return "|".join(word for name in names for word in _WORDS[name].split())


_WORDS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text("utf-8"))
_ENDS, _STARTS = frozenset(_WORDS["word_ends"].split()), frozenset(_WORDS["word_starts"].split())
_SINGLE = _WORDS["surnames"].replace(" ", "")
_SURNAME = rf"(?:{_any('double_surnames')}|[{_SINGLE}])"
_SURNAME_START = "[" + _SINGLE + "".join(double[0] for double in _WORDS["double_surnames"].split()) + "]"
_SURNAMED = re.compile(_SURNAME)
_TITLES, _CALLED = _any("titles"), _any("called")
_NAME = rf"{_SURNAME}[一-龥]{{1,2}}?"
_FOLLOWS = rf"(?=$|[^一-龥]|{_any('follows')})"


def _titled(match: Match) -> str:
    """`王女士`, `王建国先生` -> `[姓名]女士`, `[姓名]先生`. If the first surname belongs to another word, a later
    one is tried: `校方王老师` -> `校方[姓名]老师`."""
    word, title = match[1], match[2]
    around = match.string[match.start() - 1 : match.start()] + word
    for start in range(len(word)):
        name, before = word[start:], around[: start + len(around) - len(word)][-1:]
        if not _SURNAMED.match(name):
            continue
        if before + name[0] in _ENDS or name[:2] in _STARTS or name + title[:1] in _STARTS:
            continue
        return f"{word[:start]}[姓名]{title}"
    return match[0]


def _labelled(match: Match) -> str:
    return match[0] if match[2][:2] in _STARTS else f"{match[1]}[姓名]"


# Between a label and a name: a colon in any form, or at most one weak mark.
_COLON, _WEAK = r"[\"”]?[ 　]?[:：][ 　]?[\"“]?", r"(?:是|为|叫)?[ 　(（]?"
NAMES = (
    Pattern(
        "姓名",
        re.compile(
            rf"((?:{_any('labels', 'loose_labels')}){_COLON}|{_CALLED})({_NAME}{_FOLLOWS}|{_SURNAME}[一-龥]{{1,2}})"
        ),
        _labelled,
    ),
    Pattern("姓名", re.compile(rf"((?:{_any('labels')}){_WEAK})({_NAME}{_FOLLOWS})"), _labelled),
)
TITLED = Pattern(
    "姓名", re.compile(rf"({_SURNAME}(?:[^\W\d_a-zA-Z{_WORDS['not_given']}]{{1,2}}?)?)({_TITLES})"), _titled
)
TITLE = re.compile(_TITLES)
# A name next to a telephone number that is already masked.
NAME_NEXT_TO_NUMBER = Pattern(
    "姓名",
    re.compile(
        rf"(?<![一-龥]){_SURNAME}[一-龥]{{1,2}}"
        r"(?=[ ，,:：(（]?(?:电话|手机)?(?:号码?)?[ :：]?\[(?:手机号|固定电话)\])"
        r"|(?:(?<=\[手机号\])|(?<=\[固定电话\]))(?P<gap>[ ，,]?[(（]?)"
        rf"{_SURNAME}[一-龥]{{1,2}}(?=$|[^一-龥])"
    ),
    lambda match: f"{match['gap'] or ''}[姓名]",
)
# A JSON field with such a name holds the name of a person, without any label in the text.
NAME_FIELD = re.compile(
    rf"{_any('labels', 'loose_labels')}"
    r"|(?:contact|caller|person|owner|user|real|full|reporter|applicant)_?(?:name)?|name"
)
PERSON_NAME = re.compile(rf"{_SURNAME}[一-龥]{{1,3}}")

# Fast checks in RE2 for whole columns: each matches all texts that the patterns of its name could
# change.
_GAP = rf"[{SEPARATORS}()（）]{{0,2}}"
QUICK_LOCAL = rf"(?:{_LOCAL_LABELS})[^0-9]{{0,4}}[2-9][0-9]{{2}}"
QUICK_NUMBER = rf"(?:[0-9]{_GAP}){{9}}[0-9]|{QUICK_LOCAL}"
QUICK_NAME = (
    rf"{_SURNAME_START}[一-龥]{{0,3}}(?:{_TITLES})"
    rf"|(?:{_any('labels', 'loose_labels')}){_COLON}{_SURNAME_START}"
    rf"|(?:{_any('labels')}){_WEAK}{_SURNAME_START}|(?:{_CALLED}){_SURNAME_START}"
)
QUICK_PLATE = rf"[{PROVINCES}] ?[A-Za-z]|WJ[·•・.\- ]?[{PROVINCES}]"

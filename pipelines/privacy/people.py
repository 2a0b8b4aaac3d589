"""Names of people in texts: next to a title, a label or a telephone number; before a verb that says what a person does;
before 的 and a relation.

Without a segmenter: a name is a surname and one or two characters of given names, and is refused where it is a word.
"""

import re
from pathlib import Path

import yaml

from pipelines.privacy.patterns import Match, Pattern


def _any(*names: str) -> str:
    """A regular expression that matches each word of these lists."""
    return "|".join(word for name in names for word in _WORDS[name].split())


_WORDS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text("utf-8"))
_ENDS, _STARTS = frozenset(_WORDS["word_ends"].split()), frozenset(_WORDS["word_starts"].split())
_COMMON, _NOT_ALONE = frozenset(_WORDS["words"].split()), _WORDS["not_alone"]
_GIVEN = "[" + _WORDS["given"].replace(" ", "") + "]"
_NOT_NEAR = re.compile(f"[{_WORDS['not_given']}{_WORDS['not_near']}]")
_SINGLE = _WORDS["surnames"].replace(" ", "")
_SURNAME = rf"(?:{_any('double_surnames')}|[{_SINGLE}])"
_SURNAME_START = "[" + _SINGLE + "".join(double[0] for double in _WORDS["double_surnames"].split()) + "]"
_SURNAMED = re.compile(_SURNAME)
_DOUBLE = frozenset(_WORDS["double_surnames"].split())
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


def _is_name(name: str, before: str = "") -> bool:
    """Whether a surname with a given name is not a word; `before`: the character before it."""
    given = name[2:] if name[:2] in _DOUBLE else name[1:]
    return not (
        name[:2] in _STARTS
        or name in _COMMON
        or before + name[0] in _ENDS
        or given in _NOT_ALONE
        or given[0] == name[0]  # 谢谢, 常常
    )


def _acting(match: Match) -> str:
    before = match.string[max(match.start() - 1, 0) : match.start()]
    return "[姓名]" if _is_name(match[0], before) else match[0]


# Names without a title or a label: 王强投诉, 市民王强反映, 李小明的妈妈.
_FULL_NAME = rf"(?:{_any('double_surnames')}|[{_SINGLE}]){_GIVEN}{{1,2}}?"
_VERBS, _RELATIONS = _any("verbs"), rf"的(?:{_any('relations')})"
ACTING = (
    Pattern("姓名", re.compile(rf"(?:(?<![0-9A-Za-z%％一-龥])|(?<={_any('roles')})){_FULL_NAME}(?={_VERBS})"), _acting),
    Pattern("姓名", re.compile(rf"(?<=我是|本人){_FULL_NAME}(?=$|[^一-龥])"), _acting),
    Pattern("姓名", re.compile(rf"{_FULL_NAME}(?={_RELATIONS})"), _acting),
)


def _near_number(match: Match) -> str:
    name = match["before"] or match["after"]
    if not _is_name(name) or _NOT_NEAR.search(name[1:]):
        return match[0]
    return f"{match['gap'] or ''}[姓名]"


# A name next to a telephone number that is already masked.
NAME_NEXT_TO_NUMBER = Pattern(
    "姓名",
    re.compile(
        rf"(?<![一-龥])(?P<before>{_SURNAME}[一-龥]{{1,2}})"
        r"(?=[ ，,:：(（]?(?:电话|手机)?(?:号码?)?[ :：]?\[(?:手机号|固定电话)\])"
        r"|(?:(?<=\[手机号\])|(?<=\[固定电话\]))(?P<gap>[ ，,]?[(（]?)"
        rf"(?P<after>{_SURNAME}[一-龥]{{1,2}})(?=$|[^一-龥])"
    ),
    _near_number,
)
# A JSON field with such a name holds the name of a person, without any label in the text.
NAME_FIELD = re.compile(
    rf"{_any('labels', 'loose_labels')}"
    r"|(?:contact|caller|person|owner|user|real|full|reporter|applicant)_?(?:name)?|name"
)
PERSON_NAME = re.compile(rf"{_SURNAME}[一-龥]{{1,3}}")

# Fast check in RE2 for whole columns: it matches all texts that the patterns above could change, except for the names
# next to numbers.
QUICK_NAME = (
    rf"{_SURNAME_START}[一-龥]{{0,3}}(?:{_TITLES})"
    rf"|(?:{_any('labels', 'loose_labels')}){_COLON}{_SURNAME_START}"
    rf"|(?:{_any('labels')}){_WEAK}{_SURNAME_START}|(?:{_CALLED}){_SURNAME_START}"
)
QUICK_ACTING = rf"{_SURNAME_START}[一-龥]?{_GIVEN}{{1,2}}(?:{_VERBS}|{_RELATIONS})|(?:我是|本人){_SURNAME_START}"

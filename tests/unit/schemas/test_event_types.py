import msgspec
import pytest

from schemas.event_types import PATH, event_type, event_types, parse, taxonomy_fingerprint

TEXT = PATH.read_text(encoding="utf-8")


def test_there_are_33_types_in_seven_groups() -> None:
    kinds = event_types()
    assert len(kinds) == 33
    assert len({kind.group for kind in kinds}) == len({kind.group_en for kind in kinds}) == 7
    assert [kind.code for kind in kinds] == sorted(kind.code for kind in kinds)


def test_the_first_digit_of_a_code_is_its_group() -> None:
    assert len({(kind.code // 100, kind.group) for kind in event_types()}) == 7


def test_lookup_by_code() -> None:
    assert event_type(103).zh == "劳资纠纷"
    with pytest.raises(KeyError):
        event_type(100)


def test_hazards_are_more_urgent_than_disputes() -> None:
    hazards = [kind for kind in event_types() if kind.group_en == "Safety hazards"]
    disputes = [kind for kind in event_types() if kind.group_en == "Disputes"]
    assert max(kind.limit_hours for kind in hazards) < min(kind.limit_hours for kind in disputes)
    assert min(kind.severity for kind in hazards) >= max(kind.severity for kind in disputes)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("code: 102", "code: 101", "code used twice: 101"),
        ("zh: 物业纠纷", "zh: 邻里家庭纠纷", "zh used twice: 邻里家庭纠纷"),
        ("        en: Education\n", "", "missing required field `en`"),
        ("        en: Education\n", "        en: ''\n", r"length >= 1 - at `\$.groups\[5\].types\[4\].en`"),
        ("en: Education", "en: Education\n        colour: red", "unknown field `colour`"),
        ("limit_hours: 360", "limit_hours: 0", "`int` >= 1"),
        ("limit_hours: 360", "limit_hours: 9999", "`int` <= 2160"),
        ("limit_hours: 360", "limit_hours: '360'", "Expected `int`, got `str`"),
        ("severity: 3", "severity: 5", "`int` <= 4"),
        ("          - 建议城市多办一些读书活动\n", "", "length >= 3"),
        ("建议城市多办一些读书活动", "家里有重度残疾人，低保申请没有通过，想问原因", "example used twice"),
        ("groups:", "groups: [", "event_types.yaml: "),
    ],
)
def test_a_broken_file_is_a_clear_error(before: str, after: str, complaint: str) -> None:
    assert before in TEXT
    with pytest.raises(ValueError, match=complaint) as caught:
        parse(TEXT.replace(before, after, 1).encode())
    assert "\n" not in str(caught.value)


def test_fingerprint_is_pinned() -> None:
    """A new value here means: every trained model has to be trained again."""
    assert taxonomy_fingerprint() == "b018ba0dfff09ae0"


def test_fingerprint_follows_names_but_not_limits() -> None:
    first, *others = event_types()
    renamed = msgspec.structs.replace(first, zh="邻里纠纷")
    slower = msgspec.structs.replace(first, limit_hours=first.limit_hours + 24)
    assert taxonomy_fingerprint((renamed, *others)) != taxonomy_fingerprint()
    assert taxonomy_fingerprint((slower, *others)) == taxonomy_fingerprint()

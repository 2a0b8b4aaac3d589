import pytest

from schemas.keyed_lists import by_id
from schemas.reasons import PATH, Reason, reasons


def test_reasons_are_found_by_id_and_keep_their_order() -> None:
    known = reasons()
    assert known["unknown_grid"].stage == "judge"
    stages = [reason.stage for reason in known.values()]
    assert stages == sorted(stages, key=("decode", "judge", "isolate").index), "in the order of checking"


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("id: not_json,", "id: not_utf8,", "id used twice: not_utf8"),
        ("stage: judge", "stage: jury", "Invalid enum value"),
        ("zh: 空消息,", "", "missing required field `zh`"),
        ("id: empty,", "id: Empty!,", "matching regex"),
    ],
)
def test_a_broken_file_is_a_clear_error(before: str, after: str, complaint: str) -> None:
    text = PATH.read_text(encoding="utf-8")
    assert before in text
    with pytest.raises(ValueError, match=complaint):
        by_id(text.replace(before, after, 1).encode(), Reason, PATH.name)

import pytest

from schemas.contract.v1 import CONTRACT
from schemas.keyed_lists import by_id
from schemas.sources import PATH, Source, sources


def test_the_contract_lists_the_sources() -> None:
    definitions = CONTRACT.json_schema()["$defs"]
    assert definitions["Report"]["properties"]["source"] == {"enum": sorted(sources())}


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("id: hotline,", "id: forum,", "id used twice: forum"),
        ("id: hotline,", "id: 12345,", "Expected `str`"),
        ("zh: 热线,", "", "missing required field `zh`"),
        ("id: hotline,", "id: Hotline,", "matching regex"),
        ("id: hotline, ", 'id: "hotline\\n", ', "matching regex"),
    ],
)
def test_a_broken_file_is_a_clear_error(before: str, after: str, complaint: str) -> None:
    text = PATH.read_text(encoding="utf-8")
    assert before in text
    with pytest.raises(ValueError, match=complaint):
        by_id(text.replace(before, after, 1).encode(), Source, PATH.name)

"""What may be sent again, and what it carries."""

import pytest

from pipelines.replay import Waiting, headers, unfit


def waiting(payload: str, size: int | None = None) -> Waiting:
    return Waiting("id", 3, 42, "330203001001", payload, len(payload) if size is None else size, "grid_unknown", 1)


@pytest.mark.parametrize(
    ("payload", "size", "why"),
    [
        ('{"text":"[手机号]"}', 30, ""),
        ('{"text":"[手机号]"}', 5, ""),  # masking lengthens as well as shortens
        ('{"text":"a', 70_000, "cut"),
        ("}", 1, "not_json"),
        ("[]", 2, "not_json"),
        ("", 0, "not_json"),
        ("[" * 5000, 5000, "not_json"),
    ],
)
def test_what_cannot_be_sent_again(payload: str, size: int, why: str) -> None:
    assert unfit(waiting(payload, size)) == why


def test_where_it_came_from() -> None:
    assert headers("t", waiting("{}")) == [
        ("gridstream-topic", b"t"),
        ("gridstream-partition", b"3"),
        ("gridstream-offset", b"42"),
        ("gridstream-attempt", b"2"),
    ]

"""Positions and reasons as people type them."""

import pytest

from pipelines.errors import UserFault
from pipelines.quarantine import Position, parse_position


def test_a_position() -> None:
    assert parse_position("3:1042") == Position(3, 1042)


@pytest.mark.parametrize("text", ["", "3", ":", "3:", ":4", "a:1", "1:-2", "1:2:3", "٣:٤", "65536:0", "0:" + "9" * 30])
def test_what_is_no_position_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserFault) as fault:
        parse_position(text)
    assert "\n" not in str(fault.value)

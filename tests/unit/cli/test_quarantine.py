"""Positions and reasons as people type them."""

from typing import Any

import pytest
import typer

from infra.cli.quarantine import register
from infra.cli.quarantine.act import fix
from infra.cli.quarantine.options import choosing
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.quarantine.selection import Selection, require_reason
from pipelines.services.positions import Position, parse_position


def test_a_position() -> None:
    assert parse_position("3:1042") == Position(3, 1042)


@pytest.mark.parametrize("text", ["", "3", ":", "3:", ":4", "a:1", "1:-2", "1:2:3", "٣:٤", "65536:0", "0:" + "9" * 30])
def test_what_is_no_position_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserFault) as fault:
        parse_position(text)
    assert "\n" not in str(fault.value)


CHOICE = {"reason", "source", "rule", "since", "until", "limit"}


def test_all_that_act_choose_alike() -> None:
    app = typer.Typer()
    register(app)
    group = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands["quarantine"].commands  # type: ignore[attr-defined]
    options = {name: {option.name for option in command.params} for name, command in commands.items()}
    assert all(options[name] >= CHOICE for name in ("fix", "replay", "discard"))
    assert options["fix"] - CHOICE == {"patch", "assign", "samples", "policy", "apply", "as_json"}
    assert options["replay"] - CHOICE == {"policy", "dry_run", "as_json"}
    assert options["settle"] == {"older_than", "give_up", "dry_run", "as_json"}  # it takes all


def test_a_selection_is_made_of_the_options() -> None:
    made: list[Any] = []

    @choosing
    def command(chosen: Selection, loud: bool = False) -> None:
        made.append((chosen, loud))

    command(reason="empty", source="", rule="r", since=None, until=None, limit=7, loud=True)
    assert made == [(Selection(settings().topic, "empty", "", "r", limit=7), True)]


def test_a_reason_that_is_none_is_refused_with_the_one_meant() -> None:
    with pytest.raises(UserFault, match="did you mean bad_value"):
        require_reason("bad_valu")


@pytest.mark.parametrize("words", [{}, {"patch": "[]", "assign": ["severity=2"]}])
def test_a_repair_is_a_patch_or_assignments(words: dict[str, Any]) -> None:
    choice: dict[str, Any] = {"reason": "", "source": "", "rule": "", "since": None, "until": None, "limit": 1}
    with pytest.raises(UserFault, match="either --patch or --set"):
        fix(**choice, **words)

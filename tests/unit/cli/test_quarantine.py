"""The arguments and options of `gridstream quarantine` as people type them."""

from typing import Any

import pytest
import typer

from infra.cli.quarantine import register
from infra.cli.quarantine.act import fix
from pipelines.errors import UserFault
from pipelines.quarantine.selection import require_reason
from pipelines.services.positions import Position, parse_position


def test_a_position() -> None:
    assert parse_position("3:1042") == Position(3, 1042)


@pytest.mark.parametrize("text", ["", "3", ":", "3:", ":4", "a:1", "1:-2", "1:2:3", "٣:٤", "65536:0", "0:" + "9" * 30])
def test_a_malformed_position_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserFault) as fault:
        parse_position(text)
    assert "\n" not in str(fault.value)


SELECTION = {"reason", "source", "rule", "since", "until", "limit"}


def test_commands_that_act_select_alike() -> None:
    app = typer.Typer()
    register(app)
    group = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands["quarantine"].commands  # type: ignore[attr-defined]
    options = {name: {option.name for option in command.params} for name, command in commands.items()}
    assert all(options[name] >= SELECTION for name in ("fix", "replay", "discard"))
    assert options["fix"] - SELECTION == {"patch", "assign", "samples", "policy", "apply", "as_json"}
    assert options["replay"] - SELECTION == {"policy", "dry_run", "as_json"}
    assert options["settle"] == {"older_than", "give_up", "dry_run", "as_json"}  # it settles all claims


def test_an_unknown_reason_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserFault, match="did you mean bad_value"):
        require_reason("bad_valu")


@pytest.mark.parametrize("words", [{}, {"patch": "[]", "assign": ["severity=2"]}])
def test_a_repair_is_a_patch_or_assignments(words: dict[str, Any]) -> None:
    with pytest.raises(UserFault, match="either --patch or --set"):
        fix(**words)

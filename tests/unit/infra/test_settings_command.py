import json

import pytest
from typer.testing import CliRunner

from infra.cli.app import build
from infra.cli.shared.output import console, to_json
from infra.cli.stack.settings import command, described
from infra.settings import Settings


def test_all_settings_are_shown_and_no_secret_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRIDSTREAM_HASH_KEY", "not-for-anybodys-eyes")
    monkeypatch.setenv("GRIDSTREAM_CHUNK_ROWS", "1024")
    monkeypatch.setenv("GRIDSTREAM_TOPICS", "x")
    monkeypatch.setattr(console, "width", 240)  # names must not be broken over lines
    command(as_json=True)
    text = capsys.readouterr().out
    command()
    table = capsys.readouterr().out
    document = json.loads(text)
    listed = {setting["variable"]: setting for setting in document["settings"]}
    assert len(listed) == len(Settings.model_fields)
    assert (listed["GRIDSTREAM_CHUNK_ROWS"]["value"], listed["GRIDSTREAM_CHUNK_ROWS"]["changed"]) == (1024, True)
    assert listed["GRIDSTREAM_HASH_KEY"]["changed"]
    assert document["unknown"] == {"GRIDSTREAM_TOPICS": "GRIDSTREAM_TOPIC"}
    assert "not-for-anybodys-eyes" not in text + table
    assert all(name in table for name in listed)


@pytest.mark.parametrize("command_line", [["status"], ["up", "--only", "nothing"], ["restart", "--only", "nothing"]])
def test_commands_that_use_all_settings_warn_of_unknown_ones(
    command_line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDSTREAM_TOPICS", "x")
    monkeypatch.setenv("GRIDSTREAM_NOTHING_LIKE_IT", "y")
    lines = CliRunner().invoke(build(), command_line).stderr.splitlines()
    assert "未知的设置 unknown setting: GRIDSTREAM_NOTHING_LIKE_IT" in lines
    assert (
        "未知的设置 unknown setting: GRIDSTREAM_TOPICS；想写的是 GRIDSTREAM_TOPIC 吗 did you mean GRIDSTREAM_TOPIC?"
        in lines
    )


def test_defaults_are_what_an_empty_environment_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDSTREAM_HOME")
    assert [setting.name for setting in described(Settings()) if setting.changed] == []
    assert json.loads(to_json(described(Settings())))

"""What terminals can make of the output: other encodings, control sequences in texts, markup in texts."""

import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console
from rich.text import Text

from infra.cli.shared import output
from infra.cli.shared import spinner as spinner_module

CLEAR = "\x1b[2J\x1b]0;title\x07\x9b31mred\x7f\x1b"


def gridstream(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from infra.cli.app import main; main()", *arguments],
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, C_LOCALE])
def test_an_ascii_terminal_shows_the_english(environment: dict[str, str]) -> None:
    answer = gridstream("settings", **environment)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"bootstrap servers" in answer.stdout
    assert answer.stdout.isascii()


def test_no_character_of_a_document_is_lost_in_an_ascii_pipe() -> None:
    answer = gridstream("settings", "--json", PYTHONIOENCODING="ascii")
    assert answer.stdout.isascii()
    assert any("主题" in setting["meaning"] for setting in json.loads(answer.stdout)["settings"])


def test_faults_are_lines_on_an_ascii_terminal() -> None:
    answer = gridstream("settings", PYTHONIOENCODING="ascii", GRIDSTREAM_TOPIC="主题")
    assert answer.returncode == 2
    assert b"error: " in answer.stderr
    assert answer.stderr.count(b"\n") == 1


@pytest.mark.parametrize("text", [CLEAR, Text(CLEAR), Text(CLEAR, "bold")])
def test_texts_cannot_control_the_terminal(text: str | Text) -> None:
    console = output._SafeConsole(file=io.StringIO(), force_terminal=True, width=60)
    console.print(output.table("", [output.Column("文本", "text")], [[text]]))
    console.print(text, markup=False)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "red" in printed
    assert [part for part in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\x7f") if part in printed] == []


def test_styles_remain_and_lines_stay_aligned() -> None:
    console = output._SafeConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=60)
    console.print(Text("red", "red"))
    assert "\x1b[31mred" in console.file.getvalue()  # type: ignore[attr-defined]
    console = output._SafeConsole(file=io.StringIO(), width=60)
    console.print(output.table("", [output.Column("文本")], [[f"a{CLEAR}b\x07"], ["long text"]]))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "│ aredb     │" in lines


def test_documents_cannot_control_the_terminal_and_keep_every_character() -> None:
    text = output.to_json({"text": CLEAR})
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == {"text": CLEAR}


def test_progress_is_not_taken_as_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, highlight=False)
    monkeypatch.setattr(spinner_module, "errors", console)
    with spinner_module.spinner("starting [/x] …") as notify:
        notify("fetching [/y]")
        notify("[bold]done")
    assert "[bold]done" in console.file.getvalue()  # type: ignore[attr-defined]

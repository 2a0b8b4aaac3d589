"""`gridstream classify`: JSON lines and their answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from infra.cli.model import classify as command
from pipelines.classify.json_lines import LineClassifier, batches
from pipelines.classify.model import Model

LINES = [
    b'{"id": 1, "text": "\xe5\x9e\x83\xe5\x9c\xbe\xe6\xb2\xa1\xe4\xba\xba\xe6\xb8\x85\xe8\xbf\x90"}',
    b"",
    b"not json",
    b'{"id": "b", "text": "x", "source": "hotline", "source_type": "sim/201", "more": [1]}',
    b'{"id": 3, "text": "x", "event_type": 101}\r',
    b'{"id": 4}',
    b'{"id": 5, "text": "x", "event_type": 777}',
    b'{"id": 6, "text": "\xff"}',
    b'[{"id": 7, "text": "x"}]',
    b'{"id": 8, "text": ""}',
]


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    command.register(app)
    app.command("other")(lambda: None)  # a typer app with one command has no subcommands
    return app


def test_good_lines_are_answered_in_order_and_bad_ones_reported_by_number(shipped: Model) -> None:
    answers, faults = LineClassifier(shipped).answer(LINES)
    documents = [json.loads(line) for line in answers.splitlines()]
    assert [document["id"] for document in documents] == [1, "b", 3, 8]
    assert [document["event_type"] for document in documents] == [401, 201, 101, 999]
    layers = [document["decided_by"] for document in documents]
    assert layers == ["model", "crosswalk", "person", "fallback"]
    assert all(len(document["alternatives"]) == 3 for document in documents)
    assert [fault.number for fault in faults] == [3, 6, 7, 8, 9]
    assert "text" in faults[1].reason
    assert "777" in faults[2].reason


def test_batches_of_any_size_give_the_same_answers(shipped: Model) -> None:
    whole = b"\n".join(LINES)
    expected = LineClassifier(shipped).answer(LINES)
    for size in (1, 7, 64, 10_000):
        classifier = LineClassifier(shipped)
        blocks = (whole[at : at + size] for at in range(0, len(whole), size))
        results = [classifier.answer(lines) for lines in batches(blocks)]
        answers = b"".join(answers for answers, _ in results)
        assert (answers, [fault for _, faults in results for fault in faults]) == expected


def test_lines_are_answered_before_the_stream_ends() -> None:
    def slow() -> Iterator[bytes]:
        yield b'{"a'
        yield b'":1}\n{'
        raise AssertionError("the second block was read before the first line was answered")

    assert next(iter(batches(slow()))) == [b'{"a":1}']


def test_the_command_reports_bad_lines_on_stderr_and_exits_with_1(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b"\n".join(LINES[:4]) + b"\n")
    result = CliRunner().invoke(app, ["classify", str(file), "--explain"])
    assert result.exit_code == 1
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert [document["id"] for document in documents] == [1, "b"]
    assert "垃圾" in [weighed["ngram"] for weighed in documents[0]["explain"]]
    assert "line 3" in result.stderr


def test_the_command_exits_with_0_if_every_line_is_good(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(LINES[0])
    assert CliRunner().invoke(app, ["classify", str(file)]).exit_code == 0

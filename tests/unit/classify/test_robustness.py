"""Unusual texts through `gridstream classify`: the same answer twice, or a fault with the line's
number.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli.app import build
from infra.local.services.simulator import gridstream
from infra.settings import settings
from pipelines.classify.features import strings
from pipelines.classify.json_lines import LineClassifier
from pipelines.classify.model import OTHER, Model
from pipelines.classify.modelfile import load_model, save_model

GARBAGE = "小区门口的垃圾好几天没人清运"
SAME_ANSWER = {
    "full-width digits": ("3号楼门口垃圾没人清运", "３号楼门口垃圾没人清运"),
    "another number": ("3号楼门口垃圾没人清运", "128号楼门口垃圾没人清运"),
    "traditional characters": ("小区门口的垃圾没人清运", "小區門口的垃圾沒人清運"),
    "right-to-left and zero-width marks": (GARBAGE, "\u200f\u202e".join(GARBAGE) + "\u200b\ufeff"),
    "full-width latin and case": ("楼下KTV太吵", "楼下ｋｔｖ太吵"),
    "CRLF inside": ("垃圾没人清运，楼道发臭", "垃圾没人清运\r\n楼道发臭"),
}
NOTHING_KNOWN = ["", "   ", "\u200f\u202e\u200b", "。！？……", "\r\n", "ขยะ"]
ANSWERED = [
    "垃" * 4000,
    GARBAGE * 285,
    "the lift is broken",
    "垃圾\x00没人清运",
    "😀👨‍👩‍👧 垃圾没人清运 😡",
    "垃圾\ufffd\uffff清运",
]
MALFORMED = [
    b'{"id": 1, "text": "\xff\xfe"}',
    b'{"id": 1, "text": "\xed\xa0\x80"}',  # a surrogate as bytes
    b'{"id": 1, "text": "\\ud800"}',  # a lone one as an escape
    b'{"id": 1, "text": "\x00"}',  # a control character must be escaped in JSON
    b'{"id": 1, "text": "a"} {"id": 2, "text": "b"}',
    b'{"id": 1, "text": null}',
    b'{"id": 1, "text": "cut',
]


def answered(model: Model, *texts: str) -> list[dict[str, Any]]:
    """The answers to these texts, without ids; they are the same when asked twice."""
    lines = [json.dumps({"id": number, "text": text}).encode() for number, text in enumerate(texts)]
    answers, faults = LineClassifier(model).answer(lines)
    assert (answers, faults) == LineClassifier(model).answer(lines)
    assert faults == []
    return [json.loads(line) | {"id": 0} for line in answers.splitlines()]


@pytest.mark.parametrize("name", SAME_ANSWER)
def test_spellings_with_the_same_answer(shipped: Model, name: str) -> None:
    first, second = answered(shipped, *SAME_ANSWER[name])
    assert first == second
    assert first["confidence"] != 0


def test_a_text_without_a_known_ngram_is_other_with_confidence_0(shipped: Model) -> None:
    for answer in answered(shipped, *NOTHING_KNOWN):
        assert (answer["event_type"], answer["confidence"]) == (OTHER, 0)
        assert answer["decided_by"] == "fallback"


def test_unusual_texts_have_an_answer(shipped: Model) -> None:
    answers = answered(shipped, *ANSWERED)
    assert len(answers) == len(ANSWERED)
    assert all(0 < answer["confidence"] <= 1 for answer in answers)
    best = [answer["alternatives"][0]["event_type"] for answer in answers]
    assert [best[at] for at in (1, 3, 4)] == [401, 401, 401]


def test_other_texts_of_a_batch_change_no_answer(shipped: Model) -> None:
    texts = [*ANSWERED, *NOTHING_KNOWN, GARBAGE]
    together = shipped.predict(strings(texts)).confidence.tolist()
    assert together == [float(shipped.predict(strings([text])).confidence[0]) for text in texts]


@pytest.mark.parametrize("line", MALFORMED)
def test_a_malformed_line_is_reported_and_the_rest_is_answered(shipped: Model, line: bytes) -> None:
    good = json.dumps({"id": 9, "text": GARBAGE}).encode()
    answers, faults = LineClassifier(shipped).answer([good, line, good + b"\r"])
    assert [fault.number for fault in faults] == [2]
    assert [json.loads(answer)["event_type"] for answer in answers.splitlines()] == [401, 401]


def test_the_process_streams_ends_quietly_and_reports_lines(tmp_path: Path) -> None:
    """It answers before its input ends. A reader that closes the pipe (`| head -1`) is not an
    error.
    """
    command = [sys.executable, gridstream(), "classify"]
    line = json.dumps({"id": 1, "text": GARBAGE}).encode() + b"\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "-"], **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(line + b"\xff\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event_type"] == 401
        process.stdin.close()
        assert process.stdout.read() == b""
        assert b"line 2" in process.stderr.read()
        assert process.wait(30) == 1
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(line)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        try:
            for _ in range(50):
                process.stdin.write(line * 1000)
                process.stdin.flush()
                time.sleep(0.02)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.stderr.read() == b""
        process.wait(30)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home folder, named by the settings of this process."""
    monkeypatch.setenv("GRIDSTREAM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def test_it_uses_the_model_that_the_stream_uses(tmp_path: Path, home: Path) -> None:
    """The promoted model in the home folder; the shipped model if there is none."""
    file = tmp_path / "lines.jsonl"
    file.write_text(json.dumps({"id": 1, "text": GARBAGE}))

    def decided_by() -> str:
        answer = CliRunner().invoke(build(), ["classify", str(file)])
        assert answer.exit_code == 0, answer.output
        return str(json.loads(answer.stdout)["decided_by"])

    assert decided_by() == "model"
    save_model(replace(load_model(), threshold=1.01), home / "models" / "current.npz")
    assert decided_by() == "fallback"

"""The stream end to end: what the simulator says it sent is what ClickHouse holds, whatever dies on the way."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from infra.cli.stack.stream_view import observe_stream
from pipelines.watch.health import judge
from tests.support.proof import require_equal, require_proof, simulate
from tests.support.stack import Stack, Streaming
from tests.support.wait import until


def test_every_figure_of_the_manifest(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    disorder = ("--bad-share", "0.1", "--duplicate-share", "0.1", "--late-share", "0.1")
    with streaming():
        manifest = simulate(stack, tmp_path / "manifest.jsonl", "--days", "2", "--messages", "12000", *disorder)
        stack.wait_until_loaded()
    kinds = Counter(noted.kind.split(":")[0] for noted in manifest.messages)
    assert min(kinds[kind] for kind in ("good", "duplicate", "late", "correction", "bad")) > 50
    require_equal(stack, manifest)
    require_proof(stack)


def test_the_stream_is_killed_while_messages_flow(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    manifest = simulate(stack, tmp_path / "one.jsonl", "--days", "1", "--messages", "6000")
    with streaming() as process:
        until(lambda: stack.scalar("SELECT count() FROM ledger"), "the first ledger row")
        process.send_signal(signal.SIGKILL)
        process.wait()
    until(lambda: not _group_alive(process.pid), "the end of its JVM and workers")
    shutil.rmtree(stack.settings.checkpoint_dir)  # a lost checkpoint must not double anything either
    with streaming():
        stack.wait_until_loaded()
    require_equal(stack, manifest)
    require_proof(stack)


def test_an_older_stream_is_fenced(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    with streaming() as first:
        until(lambda: stack.state is not None and stack.state.condition == "running", "the first stream")
        stack.loader.command(
            "INSERT INTO writers (writer, topic, epoch) VALUES (99, {topic:String}, 1)", {"topic": stack.topic}
        )
        simulate(stack, tmp_path / "one.jsonl", "--days", "1", "--messages", "500")
        assert first.wait(60) == 3
    assert stack.state is not None
    assert stack.state.condition == "failed"
    assert "writer 99 has taken over" in stack.state.reason
    assert stack.scalar("SELECT count() FROM events") == 0


_PLANTED = """
from pathlib import Path

from pipelines.stream import prepare as module

real = module.prepare


def prepare(*arguments):
    if Path({flag!r}).exists():
        raise ZeroDivisionError("planted")
    return real(*arguments)


module.prepare = prepare
"""


def test_a_defect_is_reported_as_one_and_loses_nothing(
    stack: Stack, streaming: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "broken"
    flag.touch()
    (tmp_path / "sitecustomize.py").write_text(_PLANTED.format(flag=str(flag)), "utf-8")  # every Python process runs it
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    manifest = simulate(stack, tmp_path / "one.jsonl", "--days", "1", "--messages", "500")
    with streaming():
        until(lambda: stack.state is not None and stack.state.condition == "defect", "the defect")
        assert stack.state is not None
        assert "ZeroDivisionError: planted (sitecustomize.py:" in stack.state.reason
        [problem] = judge(observe_stream(stack.settings, ask=False)).problems
        assert (problem.id, "gridstream restart --only stream" in problem.do) == ("defect", True)
        assert stack.scalar("SELECT count() FROM ledger") == 0
        flag.unlink()  # the program is fixed
        stack.wait_until_loaded()
        until(lambda: stack.state is not None and stack.state.condition == "running", "the stream's word")
    require_equal(stack, manifest)
    require_proof(stack)


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

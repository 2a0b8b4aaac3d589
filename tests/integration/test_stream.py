"""The stream end to end: what the simulator says it sent is what ClickHouse holds, whatever dies on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from infra.cli.stack.stream_view import stream_view
from infra.local.services.simulator import gridstream
from pipelines.sources.simulator.manifest import Manifest, read_manifest
from pipelines.verify import verify
from tests.integration.conftest import Stack

Streaming = Callable[[], AbstractContextManager["subprocess.Popen[bytes]"]]

_REPORTS = "SELECT report_id, status, grid_code, updated_at, toString(event_id), event_type, decided_by FROM reports"


def simulate(stack: Stack, path: Path, *options: str) -> Manifest:
    """Run the simulator's command; the manifest it wrote."""
    command = [sys.executable, gridstream(), "simulate", "--manifest", str(path), "--json", *options]
    answer = subprocess.run(command, env=stack.environment(), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return read_manifest(path)


def require_equal(stack: Stack, manifest: Manifest) -> None:
    """Every figure of the manifest against ClickHouse."""
    wanted = manifest.expected_events()
    rows = stack.engineer.query("SELECT toString(event_id), report_id, grid_code, status FROM events FINAL").result_rows
    assert sorted(row[0] for row in rows) == sorted(wanted)
    assert all(
        (row[1], row[2], row[3]) == (wanted[row[0]].report_id, wanted[row[0]].grid, wanted[row[0]].status)
        for row in rows
    )
    reasons = stack.engineer.query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason").result_rows
    assert Counter(dict(reasons)) == manifest.expected_quarantine_by_reason()
    states = {row[0]: row[1:] for row in stack.engineer.query(_REPORTS).result_rows}
    assert states.keys() == manifest.expected_reports().keys()
    for name, state in manifest.expected_reports().items():
        status, grid, updated, event_id, kind, decided_by = states[name]
        assert (status, grid, updated, event_id) == (state.status, state.grid, state.updated_at, state.event_id)
        assert state.decided is None or (kind == state.decided and decided_by in ("person", "crosswalk"))


def require_proof(stack: Stack) -> None:
    """`verify` holds, and nothing waits."""
    report = verify(stack.bootstrap, stack.topic, stack.settings.clickhouse("engineer"))
    assert report.holds, json.dumps(report, default=str, ensure_ascii=False, indent=1)


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


def test_a_defect_is_told_as_one_and_loses_nothing(
    stack: Stack, streaming: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "broken"
    flag.touch()
    (tmp_path / "sitecustomize.py").write_text(_PLANTED.format(flag=str(flag)), "utf-8")  # every Python process runs it
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    manifest = simulate(stack, tmp_path / "one.jsonl", "--days", "1", "--messages", "500")
    with streaming():
        until(lambda: stack.state is not None and stack.state.condition == "defect", "the defect")
        assert stack.state is not None
        assert "ZeroDivisionError: planted (sitecustomize.py:" in stack.state.reason
        [problem] = [told for told in stream_view(stack.settings, ask=False).problems if "a defect" in told.what]
        assert "gridstream restart stream" in problem.do
        assert stack.scalar("SELECT count() FROM ledger") == 0
        flag.unlink()  # the program is mended
        stack.wait_until_loaded()
        until(lambda: stack.state is not None and stack.state.condition == "running", "the stream's word")
    require_equal(stack, manifest)
    require_proof(stack)


def until(condition: Callable[[], Any], what: str, timeout: float = 90) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(0.1)


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

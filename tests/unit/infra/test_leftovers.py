import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.local.supervise import leftovers

SLEEP = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print('up', flush=True); time.sleep(60)"


def start(home: Path, **more: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {leftovers.MARK: str(home), **more}
    process = subprocess.Popen([sys.executable, "-c", SLEEP], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_stack_finds_its_own_processes_and_their_children_only(tmp_path: Path) -> None:
    own, other = start(tmp_path / "a", SUPERVISOR_PROCESS_NAME="kafka"), start(tmp_path / "ab")
    try:
        marked = leftovers.marked(tmp_path / "a")
        assert own.pid in {process.pid for process in marked}
        assert len(marked) == 2
        assert {leftovers.program_of(process) for process in marked} == {"kafka"}
        leftovers.end(marked)
        assert leftovers.marked(tmp_path / "a") == []
        assert len(leftovers.marked(tmp_path / "ab")) == 2
    finally:
        leftovers.end(leftovers.marked(tmp_path / "ab"))
        own.wait()
        other.wait()


def test_the_process_that_asks_is_never_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"from infra.local.supervise import leftovers; print(leftovers.marked({str(tmp_path)!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {leftovers.MARK: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"


def test_a_stopped_process_continues_and_ends() -> None:
    stopped = subprocess.Popen(["sleep", "60"])
    stopped.send_signal(signal.SIGSTOP)
    process = psutil.Process(stopped.pid)
    leftovers.end([process], grace=60)  # returns as soon as it has ended; a busy machine may need seconds
    assert process.wait(5) == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    deaf = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    deaf.stdout.readline()
    process = psutil.Process(deaf.pid)
    leftovers.end([process], grace=0.2)
    assert process.wait(5) == -signal.SIGKILL

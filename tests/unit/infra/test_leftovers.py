import os
import signal
import subprocess
import sys
import time
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
    ours, other = start(tmp_path / "a", SUPERVISOR_PROCESS_NAME="kafka"), start(tmp_path / "ab")
    try:
        found = leftovers.marked(tmp_path / "a")
        assert ours.pid in {process.pid for process in found}
        assert len(found) == 2
        assert {leftovers.program_of(process) for process in found} == {"kafka"}
        leftovers.end(found)
        assert leftovers.marked(tmp_path / "a") == []
        assert len(leftovers.marked(tmp_path / "ab")) == 2
    finally:
        leftovers.end(leftovers.marked(tmp_path / "ab"))
        ours.wait()
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


def test_a_stopped_process_and_a_deaf_one_end_too(tmp_path: Path) -> None:
    deaf = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    assert deaf.stdout is not None
    deaf.stdout.readline()
    asleep = subprocess.Popen(["sleep", "60"])
    asleep.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    both = psutil.Process(deaf.pid), psutil.Process(asleep.pid)
    leftovers.end(both, grace=2)
    assert [process.wait(5) for process in both] == [-signal.SIGKILL, -signal.SIGTERM]
    assert time.monotonic() - begun < 8

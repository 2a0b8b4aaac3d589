"""Processes that an earlier run of the stack left behind.

Every process that the supervisor starts has GRIDSTREAM_STACK=<home> in its environment, and so have
its children. A process id in a file could be reused by an unrelated process; this mark cannot.
"""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "GRIDSTREAM_STACK"


def marked(home: Path) -> list[psutil.Process]:
    """Living processes of the stack in `home`, supervisor included, without this process and its ancestors."""
    this = psutil.Process()
    excluded = {this.pid, *(parent.pid for parent in this.parents())}
    return [p for p in psutil.process_iter() if p.pid not in excluded and _environment(p).get(MARK) == str(home)]


def program_of(process: psutil.Process) -> str | None:
    """Name of the supervised program that `process` belongs to."""
    return _environment(process).get("SUPERVISOR_PROCESS_NAME")


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return {}
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def end(processes: Iterable[psutil.Process], grace: float = 15.0) -> None:
    """Send SIGTERM, wait at most `grace` seconds, then send SIGKILL to what remains.

    SIGCONT follows SIGTERM, which a process stopped by SIGSTOP does not handle otherwise.
    """
    alive = list(processes)
    for process in alive:
        _send(process, signal.SIGTERM)
        _send(process, signal.SIGCONT)
    _, alive = psutil.wait_procs(alive, timeout=grace)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)

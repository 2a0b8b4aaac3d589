"""The supervisor of the embedded stack: its configuration, its socket, and how we talk to it.

It keeps processes alive and rotates their logs. `supervisord` runs as a daemon of its own, so that a
stack outlives the terminal it was started from.
"""

import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from configparser import RawConfigParser
from io import StringIO
from pathlib import Path
from typing import Any

from infra.local.files import last_lines, write_private
from infra.local.services.programs import NAMES, Program
from infra.local.sockets import require_private, socket_path
from infra.settings import Settings
from pipelines.errors import UserFault

START_SECONDS = 2  # alive this long counts as started
_UNSAFE = (" ;", " #", "\n")  # begin a comment in supervisord's configuration


def configuration(settings: Settings, programs: Iterable[Program]) -> str:
    """`supervisord.conf`. The environment is not in it: children inherit supervisord's, secrets stay out of files.

    Raises:
        UserFault: a path holds characters that supervisord reads as a comment.
    """
    parser = RawConfigParser()
    parser["unix_http_server"] = {"file": _plain(socket_path(settings)), "chmod": "0700"}
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    parser["supervisord"] = {
        "logfile": _plain(settings.logs / "supervisord.log"),
        "logfile_maxbytes": "5MB",
        "logfile_backups": "2",
        "pidfile": _plain(settings.run / "supervisord.pid"),
        "umask": "077",
        "identifier": "gridstream",
    }
    for program in programs:
        parser[f"program:{program.name}"] = _section(settings, program)
    text = StringIO()
    parser.write(text)
    return text.getvalue()


def _section(settings: Settings, program: Program) -> dict[str, str]:
    return {
        "command": _plain(shlex.join(program.command())),
        "directory": _plain(program.directory),
        "priority": str(10 * NAMES.index(program.name)),  # the supervisor stops the highest first
        "autostart": "false",
        "autorestart": "unexpected" if program.clean_exits else "true",
        "exitcodes": ",".join(map(str, program.clean_exits or (0,))),
        "startsecs": str(START_SECONDS),
        "startretries": "10",
        "stopsignal": "TERM",
        "stopwaitsecs": str(program.stop_seconds),
        # The stream's driver ends its JVM and workers itself, in order; the others have no children to care for.
        "stopasgroup": str(program.name != "stream").lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _plain(_plain(settings.logs / f"{program.name}.log")),  # this one is expanded twice
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "3",
    }


def _plain(value: object) -> str:
    text = str(value)
    if any(mark in text for mark in _UNSAFE):
        raise UserFault(f"the path {text!r} holds ' ;' or ' #', which the supervisor cannot read; move GRIDSTREAM_HOME")
    return text.replace("%", "%%")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over the socket, with a time limit: a stopped supervisor must not hang us too."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path, self._timeout)


def client(settings: Settings, timeout: float = 10.0) -> Any | None:
    """The supervisor's XML-RPC namespace `supervisor`; None when nobody answers (stale socket) or it is ending."""
    proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(socket_path(settings), timeout))
    try:
        proxy.supervisor.getState()
    except (OSError, http.client.HTTPException, xmlrpc.client.Fault):  # the fault: it is shutting down
        return None
    return proxy.supervisor


def start(settings: Settings, programs: Iterable[Program], environment: Mapping[str, str]) -> Any:
    """Start supervisord as a daemon, with no program running yet; returns its client.

    Raises:
        UserFault: it did not come up.
    """
    path = settings.run / "supervisord.conf"
    write_private(path, configuration(settings, programs))
    settings.logs.mkdir(parents=True, exist_ok=True)
    require_private(socket_path(settings).parent)
    answer = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "supervisor.supervisord", "-c", path],
        env=dict(environment),
        cwd=settings.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    until = time.monotonic() + 20
    while answer.returncode == 0 and time.monotonic() < until:
        if (found := client(settings)) is not None:
            return found
        time.sleep(0.1)
    log = settings.logs / "supervisord.log"
    reason = (answer.stderr or answer.stdout).strip().splitlines()[-1:] or last_lines(log, 1)
    raise UserFault(f"the supervisor did not start: {' '.join(reason)} (see {log})")

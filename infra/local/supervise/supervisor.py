"""The supervisor of the embedded stack: its configuration, its start, and a client.

It restarts processes that end and rotates their logs. `supervisord` runs as a daemon, so that the
stack outlives the terminal from which it was started.
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

START_SECONDS = 2  # a process that has run this long counts as started
_UNSAFE = (" ;", " #", "\n")  # begin a comment in supervisord's configuration


def configuration(settings: Settings, programs: Iterable[Program]) -> str:
    """`supervisord.conf`. Without the environment, which children inherit from supervisord: it holds secrets.

    Raises:
        UserFault: a path holds characters that begin a comment in supervisord's configuration.
    """
    parser = RawConfigParser()
    parser["unix_http_server"] = {"file": _escaped(socket_path(settings)), "chmod": "0700"}
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    parser["supervisord"] = {
        "logfile": _escaped(settings.logs / "supervisord.log"),
        "logfile_maxbytes": "5MB",
        "logfile_backups": "2",
        "pidfile": _escaped(settings.run / "supervisord.pid"),
        "umask": "077",
        "identifier": "gridstream",
        "strip_ansi": "true",  # Dagster colours its lines even in a file
    }
    for program in programs:
        parser[f"program:{program.name}"] = _section(settings, program)
    text = StringIO()
    parser.write(text)
    return text.getvalue()


def _section(settings: Settings, program: Program) -> dict[str, str]:
    return {
        "command": _escaped(shlex.join(program.command())),
        "directory": _escaped(program.directory),
        "priority": str(10 * NAMES.index(program.name)),  # the supervisor stops the highest first
        "autostart": "false",
        "autorestart": "unexpected" if program.clean_exits else "true",
        "exitcodes": ",".join(map(str, program.clean_exits or (0,))),
        "startsecs": str(START_SECONDS),
        "startretries": "10",
        "stopsignal": "TERM",
        "stopwaitsecs": str(program.stop_seconds),
        # The stream's driver ends its JVM and workers itself, in order; the others do not end their children.
        "stopasgroup": str(program.name != "stream").lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _escaped(
            _escaped(settings.logs / f"{program.name}.log")
        ),  # supervisord expands this value twice
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "3",
    }


def _escaped(value: object) -> str:
    text = str(value)
    if any(mark in text for mark in _UNSAFE):
        raise UserFault(
            f"路径不可用 the path {text!r} holds ' ;' or ' #', which supervisord takes as a comment; "
            "请更换 choose another GRIDSTREAM_HOME"
        )
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
    """XML-RPC over the socket, with a time limit: a supervisor that is stopped (SIGSTOP) must not block the caller.

    supervisor.xmlrpc.SupervisorTransport has no time limit. A subclass would have to replace both
    its connection and the closure that opens it, which is longer than these two classes.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path, self._timeout)


def client(settings: Settings, timeout: float = 10.0) -> Any | None:
    """The supervisor's XML-RPC namespace `supervisor`; None if it does not answer or is shutting down."""
    proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(socket_path(settings), timeout))
    try:
        proxy.supervisor.getState()
    except (OSError, http.client.HTTPException, xmlrpc.client.Fault):  # Fault: it is shutting down
        return None
    return proxy.supervisor


def start(settings: Settings, programs: Iterable[Program], environment: Mapping[str, str]) -> Any:
    """Start supervisord as a daemon that runs no program yet; returns its client.

    Raises:
        UserFault: it did not start within 20 s.
    """
    path = settings.run / "supervisord.conf"
    write_private(path, configuration(settings, programs))
    settings.logs.mkdir(parents=True, exist_ok=True)
    require_private(socket_path(settings).parent)
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "supervisor.supervisord", "-c", path],
        env=dict(environment),
        cwd=settings.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    until = time.monotonic() + 20
    while process.returncode == 0 and time.monotonic() < until:
        if (running := client(settings)) is not None:
            return running
        time.sleep(0.1)
    log = settings.logs / "supervisord.log"
    reason = (process.stderr or process.stdout).strip().splitlines()[-1:] or last_lines(log, 1)
    raise UserFault(f"监督进程没有启动 the supervisor did not start: {' '.join(reason)} (see {log})")

"""Whether a port is free, and which process listens on it."""

import errno
import socket

import psutil

from infra.settings import Settings, variable
from pipelines.errors import UserFault


def require_free(settings: Settings, fields: tuple[str, ...]) -> None:
    """Check the ports of these settings.

    Raises:
        UserFault: a port is in use or not permitted; names the port, the process and the setting to change.
    """
    for field in fields:
        port = int(getattr(settings, field))
        if problem := _problem(settings.host, port):
            raise UserFault(
                f"端口不可用 port {port} {problem}; "
                f"请结束该进程 end that process, or set {variable(field)} to another port"
            )


def _problem(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"is in use by {holder(port)}"
            return f"cannot be used on {host} ({error.strerror})"
    return None


def holder(port: int) -> str:
    """The process that listens on a port, as far as this user may see it."""
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if c.laddr and c.laddr[1] == port and c.pid), None)
        if pid is None:
            return "another process"
        process = psutil.Process(pid)
        return f"{process.name()} (pid {pid}: {' '.join(' '.join(process.cmdline()).split())[:80]})"
    except psutil.Error:  # some systems hide the sockets of other users
        return "another process"

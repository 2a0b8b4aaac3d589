"""Whether a port is free, and who holds it."""

import errno
import socket

import psutil

from infra.settings import Settings, variable
from pipelines.errors import UserFault


def require_free(settings: Settings, fields: tuple[str, ...]) -> None:
    """Check the ports of these settings.

    Raises:
        UserFault: one is taken or forbidden; names the port, its holder and the setting to change.
    """
    for field in fields:
        port = int(getattr(settings, field))
        if problem := _problem(settings.host, port):
            raise UserFault(f"port {port} {problem}; end that process, or set {variable(field)} to another port")


def _problem(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports in TIME_WAIT are free for servers
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"is taken by {holder(port)}"
            return f"cannot be used on {host} ({error.strerror})"
    return None


def holder(port: int) -> str:
    """Who listens on a port, as far as this machine tells us."""
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if c.laddr and c.laddr[1] == port and c.pid), None)
        if pid is None:
            return "another process"
        process = psutil.Process(pid)
        return f"{process.name()} (pid {pid}: {' '.join(' '.join(process.cmdline()).split())[:80]})"
    except psutil.Error:  # other people's sockets need rights on some systems
        return "another process"

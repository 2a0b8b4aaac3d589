"""Unix sockets of the embedded stack: a folder that is ours alone, and paths that are short enough."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from infra.settings import Settings
from pipelines.errors import UserFault

_SOCKET_BYTES = 95  # sun_path holds 104 to 108; supervisord first binds a name with its pid behind it
SUPERVISOR = "supervisor.sock"
DAGSTER_CODE = "dagster-code.sock"
_ALL = (SUPERVISOR, DAGSTER_CODE)


def socket_path(settings: Settings, name: str = SUPERVISOR) -> Path:
    """In the home when its path is short enough, else in a private folder under the temporary one."""
    if len(os.fsencode(settings.run / max(_ALL, key=len))) <= _SOCKET_BYTES:
        return settings.run / name
    key = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"gridstream-{os.getuid()}-{key}" / name


def remove_sockets(settings: Settings) -> None:
    """Remove sockets nobody listens on, and their private folder when that is not the home's own."""
    for name in _ALL:
        socket_path(settings, name).unlink(missing_ok=True)
    folder = socket_path(settings).parent
    if folder != settings.run:
        with contextlib.suppress(OSError):
            folder.rmdir()


def require_private(folder: Path) -> None:
    """The sockets' folder must be ours alone: who reaches a socket runs commands as us.

    Raises:
        UserFault: somebody else made it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UserFault(f"{folder} belongs to somebody else; remove it, or choose a shorter GRIDSTREAM_HOME")
    folder.chmod(0o700)

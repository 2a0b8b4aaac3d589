"""Unix sockets of the embedded stack: a private folder, and paths that are short enough."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from infra.settings import Settings
from pipelines.errors import UserFault

_SOCKET_BYTES = 95  # sun_path holds 104 to 108; supervisord first binds a name with its pid appended
SUPERVISOR = "supervisor.sock"
DAGSTER_CODE = "dagster-code.sock"
_ALL = (SUPERVISOR, DAGSTER_CODE)


def socket_path(settings: Settings, name: str = SUPERVISOR) -> Path:
    """In the home if its path is short enough, otherwise in a private folder in the temporary folder."""
    if len(os.fsencode(settings.run / max(_ALL, key=len))) <= _SOCKET_BYTES:
        return settings.run / name
    key = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"gridstream-{os.getuid()}-{key}" / name


def remove_sockets(settings: Settings) -> None:
    """Remove the sockets of a stack that has ended, and their folder if it is outside the home."""
    for name in _ALL:
        socket_path(settings, name).unlink(missing_ok=True)
    folder = socket_path(settings).parent
    if folder != settings.run:
        with contextlib.suppress(OSError):
            folder.rmdir()


def require_private(folder: Path) -> None:
    """Create the folder of the sockets, accessible to its owner only.

    A process that can connect to the supervisor's socket can run commands as this user.

    Raises:
        UserFault: it belongs to another user.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserFault(
            f"目录属于别人 {folder} belongs to another user; 请删除它 remove it, or choose a shorter GRIDSTREAM_HOME"
        )
    folder.chmod(0o700)

"""Small file habits of the embedded stack."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import UserFault
from pipelines.files import replace_file


def write_private(path: Path, text: str) -> None:
    """Write `text` whole or not at all, readable by the owner alone.

    Raises:
        UserFault: the folder cannot be written, or the disk is full.
    """
    try:
        replace_file(path, text.encode(), mode=0o600)
    except OSError as error:
        raise UserFault(
            f"cannot write {path} ({error.strerror}); is GRIDSTREAM_HOME yours, and the disk not full?"
        ) from error


def last_lines(path: Path, count: int = 12) -> list[str]:
    """The end of a log; nothing when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 32_768))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


@contextmanager
def locked(path: Path, tell: Callable[[], None], patience: float) -> Iterator[None]:
    """Hold a lock among processes; `tell` is called when there is somebody to wait for. Ends with its holder.

    Raises:
        filelock.Timeout: still held by another process after `patience` seconds.
        OSError: the lock file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell()
        lock.acquire(timeout=patience)
    try:
        yield
    finally:
        lock.release()

"""Files of the embedded stack: private files, log tails, locks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import UserFault
from pipelines.files import replace_file


def write_private(path: Path, text: str) -> None:
    """Write `text` with `replace_file`, readable by the owner only.

    Raises:
        UserFault: the folder cannot be written, or the disk is full.
    """
    try:
        replace_file(path, text.encode(), mode=0o600)
    except OSError as error:
        raise UserFault(
            f"无法写入 cannot write {path} ({error.strerror}); "
            "请检查 check that you own GRIDSTREAM_HOME and that the disk is not full"
        ) from error


def last_lines(path: Path, count: int = 12) -> list[str]:
    """The last `count` lines of a log, read from its last 32 KiB; empty if it does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 32_768))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


@contextmanager
def locked(path: Path, on_wait: Callable[[], None], patience: float) -> Iterator[None]:
    """Hold a lock between processes; `on_wait` is called if another process holds it. It ends with its holder.

    Raises:
        filelock.Timeout: still held by another process after `patience` seconds.
        OSError: the lock file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire(timeout=patience)
    try:
        yield
    finally:
        lock.release()

"""Write files so that readers never see an incomplete one."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write `content` to a draft in the same folder, then rename it to `path`: readers see the old or the new file.

    mode: permissions of a new file, before the umask. Missing folders are created.

    Raises:
        OSError: the folder cannot be written, or the disk is full; `path` is unchanged and no draft is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise

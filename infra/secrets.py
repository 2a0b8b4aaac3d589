"""Passwords and keys of the embedded stack: generated once per home, stored in one private file."""

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipelines.errors import UserFault

FILE_NAME = "secrets.json"


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Secrets:
    """Passwords of the ClickHouse users, and the key of the hashes of reporters (64 hex digits)."""

    engineer: str = field(default_factory=_password, repr=False)
    loader: str = field(default_factory=_password, repr=False)
    analyst: str = field(default_factory=_password, repr=False)
    board: str = field(default_factory=_password, repr=False)
    hash_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    @property
    def repair(self) -> str:
        """Derived, so that a file of an earlier version remains complete. The user has no rights that
        `engineer` lacks."""
        return hmac.new(self.engineer.encode(), b"repair", hashlib.sha256).hexdigest()


def embedded_secrets(home: Path) -> Secrets:
    """The secrets of the stack in `home`; the first call generates them (mode 0600).

    With another hash key, the hashes of the same reporter would no longer match. So a file that
    cannot be read is an error and is never replaced.

    Raises:
        UserFault: `home` cannot be written, or the file is damaged.
    """
    path = home / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        return Secrets(**json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserFault(
            f"无法读写 cannot use {path} ({error.strerror}); 请设置 set GRIDSTREAM_HOME to a folder that you may write"
        ) from error
    except (ValueError, TypeError) as error:
        raise UserFault(
            f"文件已损坏 {path} is damaged; 请从备份恢复 restore it from a backup (it holds passwords and the hash key)"
        ) from error


def _create(path: Path) -> None:
    """Write a draft, then link it to `path`, which fails if `path` exists: of two processes, exactly one succeeds.

    `replace_file` would replace the secrets that the other process already uses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(Secrets()), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()

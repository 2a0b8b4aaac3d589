"""The SQL definitions of all tables and views, as numbered files `NNNN_name.sql`."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlparse
from sqlparse import lexer
from sqlparse import tokens as T

FOLDER = Path(__file__).parent
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """A migration file. `checksum`: the SHA-256 (hex) of its bytes, because an applied file must not change."""

    number: int
    name: str
    sql: str
    checksum: str


@cache
def migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """All migrations in order, numbered 1, 2, 3 ...

    Raises:
        ValueError: a file name is malformed, a number is missing or used twice.
    """
    files = tuple(_read(path) for path in sorted(folder.glob("*.sql")))
    for expected, migration in enumerate(files, start=1):
        if migration.number != expected:
            problem = "used twice" if migration.number < expected else "missing"
            number = min(migration.number, expected)
            raise ValueError(f"{folder.name}: migration number {number:04} is {problem}")
    return files


def statements(sql: str) -> list[str]:
    """The statements of a file, with their comments, without the closing semicolon."""
    pieces = (piece.strip().removesuffix(";").rstrip() for piece in sqlparse.split(sql))
    return [piece for piece in pieces if _has_statement(piece)]


def _has_statement(piece: str) -> bool:
    ignored = (T.Whitespace, T.Comment, T.Punctuation)
    tokens = lexer.tokenize(piece)  # type: ignore[no-untyped-call]
    return any(not any(kind in group for group in ignored) for kind, _ in tokens)


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if not match:
        raise ValueError(f"{path.name}: a migration is named like 0007_what_it_does.sql")
    content = path.read_bytes()
    return Migration(int(match[1]), match[2], content.decode(), hashlib.sha256(content).hexdigest())

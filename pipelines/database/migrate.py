"""Brings a database up to date: creates it, applies the numbered migrations, fills the dimensions.

ClickHouse has no transactions for DDL. So a migration is recorded only after all its statements
went through, and every statement is written to be harmless when it runs again (IF NOT EXISTS):
after a failure half way, running `migrate` again heals it.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from pipelines.database.dimensions import Dimension, all_new, load_registry
from pipelines.errors import TransientFault, UserFault
from pipelines.services.clickhouse import ClickHouse, ErrorCode, connect, is_transient
from schemas.migrations import Migration, migrations, statements

__all__ = ["Dimension", "MigrationResult", "Step", "ensure_database", "load_registry", "migrate", "pending", "run"]

_MISSING_GRANT = re.compile(r"the grant (.+?)\. \(")  # in the server's text; only shown, never decided on

# Replacing, so that two people who migrate at the same time leave one row a migration.
_BOOKS = """
CREATE TABLE IF NOT EXISTS migrations
(
    number      UInt16,
    name        String,
    checksum    FixedString(64) COMMENT 'SHA-256 of the file',
    seconds     Float32,
    applied_at  DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    applied_by  String DEFAULT currentUser()
)
ENGINE = ReplacingMergeTree
ORDER BY number
"""
_DATABASE_EXISTS = "SELECT count() FROM system.databases WHERE name = {name:String}"
_CREATE_DATABASE = "CREATE DATABASE IF NOT EXISTS {name:Identifier}"
_APPLIED = "SELECT number, name, toString(checksum) FROM migrations FINAL ORDER BY number"


@dataclass(frozen=True)
class Step:
    """A migration that was applied, or in a dry run would be. `seconds` is 0 in a dry run."""

    number: int
    name: str
    statements: int
    seconds: float


@dataclass(frozen=True)
class MigrationResult:
    """All that `run` did, or in a dry run would do."""

    database: str
    created: bool
    steps: list[Step]
    dimensions: list[Dimension]
    dry_run: bool


def run(target: ClickHouse, dry_run: bool = False) -> MigrationResult:
    """Creates the database when it is missing, migrates it and fills the dimensions.

    Raises:
        UserFault: the user may not do it, or the database and the files do not fit together.
        TransientFault: the server does not answer.
    """
    created = ensure_database(target, dry_run)
    if created and dry_run:
        steps = [_planned(migration) for migration in migrations()]
        return MigrationResult(target.database, created, steps, all_new(), dry_run)
    client = connect(target)
    try:
        steps = migrate(client, dry_run)
        return MigrationResult(target.database, created, steps, load_registry(client, dry_run), dry_run)
    finally:
        client.close()


def ensure_database(target: ClickHouse, dry_run: bool = False) -> bool:
    """Creates the target's database unless it exists; says whether it was (or would be) created."""
    client = connect(replace(target, database="system"))  # the one that every server has
    try:
        if client.query(_DATABASE_EXISTS, parameters={"name": target.database}).result_rows[0][0]:
            return False
        if not dry_run:
            client.command(_CREATE_DATABASE, parameters={"name": target.database})
        return True
    except DatabaseError as error:
        raise _fault(
            error, f"database {target.database} is missing and user {target.user} may not create it"
        ) from error
    finally:
        client.close()


def migrate(client: Client, dry_run: bool = False, files: Sequence[Migration] | None = None) -> list[Step]:
    """Applies what is pending, in order, and returns it; a dry run only returns it."""
    waiting = pending(client, files)
    if dry_run:
        return [_planned(migration) for migration in waiting]
    if waiting:
        _command(client, _BOOKS, "the table of migrations")
    return [_apply(client, migration) for migration in waiting]


def pending(client: Client, files: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """The migrations that the database has not seen yet.

    Raises:
        UserFault: an applied file was changed or is unknown here, or one before it was left out.
    """
    files = migrations() if files is None else files
    applied = _applied(client)
    if len(applied) > len(files):
        raise UserFault(f"the database is at migration {len(applied)}, this program knows {len(files)}: update it")
    for position, ((number, name, checksum), migration) in enumerate(zip(applied, files, strict=False), start=1):
        if number != position:
            raise UserFault(f"the database lacks migration {position}, although {number} is applied: restore a backup")
        if checksum != migration.checksum:
            raise UserFault(f"migration {number:04} ({name}) was changed after it was applied: add a new one instead")
    return tuple(files[len(applied) :])


def _applied(client: Client) -> Sequence[Sequence[Any]]:
    """Number, name and checksum of every migration the database has seen."""
    try:
        return client.query(_APPLIED).result_rows
    except DatabaseError as error:
        if error.code == ErrorCode.UNKNOWN_TABLE:
            return []
        raise _fault(error, "the user may not read which migrations were applied") from error


def _apply(client: Client, migration: Migration) -> Step:
    started = time.perf_counter()
    parts = statements(migration.sql)
    for position, statement in enumerate(parts, start=1):
        _command(client, statement, f"migration {migration.number:04} ({migration.name}), statement {position}")
    seconds = round(time.perf_counter() - started, 3)
    row = [migration.number, migration.name, migration.checksum, seconds]
    client.insert("migrations", [row], column_names=["number", "name", "checksum", "seconds"])
    return Step(migration.number, migration.name, len(parts), seconds)


def _planned(migration: Migration) -> Step:
    return Step(migration.number, migration.name, len(statements(migration.sql)), 0.0)


def _command(client: Client, statement: str, what: str) -> None:
    try:
        client.command(statement)
    except DatabaseError as error:
        raise _fault(error, f"{what} is not allowed to {client.command('SELECT currentUser()')}") from error


def _fault(error: DatabaseError, forbidden: str) -> Exception:
    """What the error means to the person at the keyboard; `forbidden` is said when rights are missing."""
    if is_transient(error):
        return TransientFault(f"ClickHouse cannot migrate just now (error {error.code})")
    if error.code == ErrorCode.ACCESS_DENIED:
        grant = _MISSING_GRANT.search(str(error))
        return UserFault(f"{forbidden}: ask the administrator for the grant {grant[1] if grant else 'it needs'}")
    return error

"""Update a database: create it, apply the numbered migrations, fill the dimensions.

ClickHouse has no transactions for DDL. So a migration is recorded only after all its statements
succeeded, and every statement can run again without harm (IF NOT EXISTS): after a failure in the
middle of a migration, `migrate` continues it.
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

_MISSING_GRANT = re.compile(r"the grant (.+?)\. \(")  # in the server's text; only printed, never decided on

# Replacing, so that two people who migrate at the same time leave one row for each migration.
_CREATE_MIGRATIONS = """
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
    """What `run` did, or in a dry run would do."""

    database: str
    created: bool
    steps: list[Step]
    dimensions: list[Dimension]
    dry_run: bool


def run(target: ClickHouse, dry_run: bool = False) -> MigrationResult:
    """Create the database if it is missing, migrate it and fill the dimensions.

    Raises:
        UserFault: the user lacks rights, or the database and the migration files do not match.
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
    """Create the target's database unless it exists; returns whether it was, or in a dry run would
    be, created."""
    client = connect(replace(target, database="system"))  # every server has this database
    try:
        if client.query(_DATABASE_EXISTS, parameters={"name": target.database}).result_rows[0][0]:
            return False
        if not dry_run:
            client.command(_CREATE_DATABASE, parameters={"name": target.database})
        return True
    except DatabaseError as error:
        forbidden = (
            f"没有数据库 {target.database}，用户 {target.user} 无权创建 "
            f"the database is missing and the user may not create it"
        )
        raise _fault(error, forbidden) from error
    finally:
        client.close()


def migrate(client: Client, dry_run: bool = False, files: Sequence[Migration] | None = None) -> list[Step]:
    """Apply the pending migrations in order and return them; a dry run only returns them."""
    to_apply = pending(client, files)
    if dry_run:
        return [_planned(migration) for migration in to_apply]
    if to_apply:
        _command(client, _CREATE_MIGRATIONS, "迁移记录表 the table of migrations")
    return [_apply(client, migration) for migration in to_apply]


def pending(client: Client, files: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """The migrations that are not applied yet.

    Raises:
        UserFault: an applied migration was changed, is unknown to this program, or was applied
            without an earlier one.
    """
    files = migrations() if files is None else files
    applied = _applied(client)
    if len(applied) > len(files):
        raise UserFault(
            f"数据库比程序新，请更新程序 the database is at migration {len(applied)}, this program knows {len(files)}: "
            "update the program"
        )
    for position, ((number, name, checksum), migration) in enumerate(zip(applied, files, strict=False), start=1):
        if number != position:
            raise UserFault(
                f"数据库缺少迁移，请恢复备份 the database lacks migration {position}, although {number} is applied: "
                "restore a backup"
            )
        if checksum != migration.checksum:
            raise UserFault(
                f"已应用的迁移被改动，请另加新迁移 migration {number:04} ({name}) was changed after it was applied: "
                "add a new one instead"
            )
    return tuple(files[len(applied) :])


def _applied(client: Client) -> Sequence[Sequence[Any]]:
    """Number, name and checksum of each applied migration."""
    try:
        return client.query(_APPLIED).result_rows
    except DatabaseError as error:
        if error.code == ErrorCode.UNKNOWN_TABLE:
            return []
        raise _fault(error, "用户无权读取迁移记录 the user may not read the table of migrations") from error


def _apply(client: Client, migration: Migration) -> Step:
    started = time.perf_counter()
    parts = statements(migration.sql)
    for position, statement in enumerate(parts, start=1):
        _command(
            client, statement, f"迁移 migration {migration.number:04} ({migration.name}), 语句 statement {position}"
        )
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
        user = client.command("SELECT currentUser()")
        raise _fault(error, f"{what}: 用户 {user} 无权执行 user {user} may not execute it") from error


def _fault(error: DatabaseError, forbidden: str) -> Exception:
    """The fault for a server's error; `forbidden`: its text when rights are missing."""
    if is_transient(error):
        return TransientFault(f"ClickHouse cannot migrate at the moment (error {error.code})")
    if error.code == ErrorCode.ACCESS_DENIED:
        grant = _MISSING_GRANT.search(str(error))
        missing = grant[1] if grant else "?"
        return UserFault(f"{forbidden}: 请向管理员申请权限 ask the administrator for the grant {missing}")
    return error

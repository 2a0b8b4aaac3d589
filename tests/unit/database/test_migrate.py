from collections.abc import Callable
from dataclasses import replace

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from pipelines.database.migrate import _fault, load_registry, migrate, pending
from pipelines.errors import TransientFault, UserFault
from pipelines.services.clickhouse import ErrorCode
from schemas.migrations import Migration, migrations
from schemas.sources import sources

KEYED_HASHES = next(migration.number for migration in migrations() if migration.name == "keyed_hashes")
DIMENSIONS = {"cities": 3, "counties": 12, "towns": 186, "grids": 12_049, "event_types": 33, "sources": len(sources())}


def value(client: Client, sql: str) -> object:
    return client.query(sql).result_rows[0][0]


def file(number: int, sql: str) -> Migration:
    return Migration(number, f"step_{number}", sql, f"{number:064}")


def objects(client: Client) -> int:
    return int(str(value(client, "SELECT count() FROM system.tables WHERE database = currentDatabase()")))


@pytest.fixture(scope="module")
def migrated(create_database: Callable[[], Client]) -> Client:
    """A migrated database for the tests of this file. They leave its tables as they were."""
    client = create_database()
    migrate(client)
    return client


@pytest.fixture(scope="module")
def first_load(migrated: Client) -> dict[str, int]:
    """The rows that loading the registry inserted into each empty table."""
    return {done.table: done.inserted for done in load_registry(migrated)}


def test_a_dry_run_touches_nothing(client: Client) -> None:
    assert [step.number for step in migrate(client, dry_run=True)] == [m.number for m in migrations()]
    assert {done.table: done.inserted for done in load_registry(client, dry_run=True)} == DIMENSIONS
    assert objects(client) == 0


def test_all_migrations_run_once(client: Client) -> None:
    steps = migrate(client)
    assert [(step.number, step.name) for step in steps] == [(m.number, m.name) for m in migrations()]
    before = objects(client)
    assert before > len(steps)
    assert pending(client) == ()
    assert migrate(client) == []
    assert objects(client) == before
    assert value(client, "SELECT count() FROM migrations") == len(steps)


def test_statements_can_run_again(migrated: Client) -> None:
    before = objects(migrated)
    migrated.command("TRUNCATE TABLE migrations")
    assert len(migrate(migrated)) == len(migrations())
    assert objects(migrated) == before


def test_a_changed_file_is_refused(migrated: Client) -> None:
    first, *others = migrations()
    with pytest.raises(UserFault, match=r"0001 \(events\) was changed after it was applied"):
        migrate(migrated, files=[replace(first, checksum="0" * 64), *others])


def test_a_newer_database_is_refused(migrated: Client) -> None:
    with pytest.raises(UserFault, match="this program knows 1"):
        migrate(migrated, files=migrations()[:1])


def test_a_gap_is_refused(client: Client) -> None:
    first_three = migrations()[:3]
    migrate(client, files=first_three)
    client.command("DELETE FROM migrations WHERE number = 2")
    with pytest.raises(UserFault, match="lacks migration 2"):
        migrate(client, files=first_three)


def test_a_failed_migration_is_continued(client: Client) -> None:
    table = "CREATE TABLE IF NOT EXISTS {} (a Int8) ENGINE = MergeTree ORDER BY a"
    good, broken = file(1, table.format("one")), file(2, table.format("two") + "; CREATE TABEL three;")
    with pytest.raises(DatabaseError):
        migrate(client, files=[good, broken])
    assert [m.number for m in pending(client, [good, broken])] == [2]
    repaired = file(2, f"{table.format('two')}; {table.format('three')};")
    assert [(step.number, step.statements) for step in migrate(client, files=[good, repaired])] == [(2, 2)]
    assert pending(client, [good, repaired]) == ()


def test_missing_rights_are_one_line() -> None:
    text = (
        "Received ClickHouse exception, code: 497, server response: Code: 497. DB::Exception: loader: Not enough "
        "privileges. To execute this query, it's necessary to have the grant TABLE ENGINE ON MergeTree. (ACCESS_DENIED)"
    )
    fault = _fault(DatabaseError(text, code=ErrorCode.ACCESS_DENIED), "user loader may not execute it")
    assert isinstance(fault, UserFault)
    assert str(fault).startswith("user loader may not execute it: ")
    assert str(fault).endswith("ask the administrator for the grant TABLE ENGINE ON MergeTree")


def test_a_server_in_trouble_is_not_a_user_fault() -> None:
    assert isinstance(_fault(DatabaseError("full", code=ErrorCode.NOT_ENOUGH_SPACE), ""), TransientFault)
    broken = DatabaseError("syntax", code=62)
    assert _fault(broken, "") is broken


def test_the_registry_loads_once(migrated: Client, first_load: dict[str, int]) -> None:
    assert first_load == DIMENSIONS
    assert {(done.inserted, done.removed) for done in load_registry(migrated)} == {(0, 0)}
    for table, rows in DIMENSIONS.items():
        assert value(migrated, f"SELECT count() FROM {table}") == rows


@pytest.mark.usefixtures("first_load")
def test_the_tables_follow_the_files(migrated: Client) -> None:
    migrated.command("INSERT INTO towns (town_code, zh) VALUES ('999999999', '多余镇')")
    migrated.command(
        "INSERT INTO grids (grid_code, town_code, households) SELECT grid_code, town_code, 1 FROM grids LIMIT 5"
    )
    done = {done.table: (done.inserted, done.removed) for done in load_registry(migrated)}
    assert done == {"cities": (0, 0), "counties": (0, 0), "towns": (0, 1), "grids": (5, 0)} | dict.fromkeys(
        ("event_types", "sources"), (0, 0)
    )
    assert value(migrated, "SELECT count() FROM towns FINAL") == DIMENSIONS["towns"]
    assert value(migrated, "SELECT sum(households) FROM grids FINAL") == 344 * 12_000


@pytest.mark.usefixtures("first_load")
def test_the_directory_names_every_grid(migrated: Client) -> None:
    rows = migrated.query(
        "SELECT grid_zh, town_zh, county_zh, city_zh, timezone, households FROM grid_directory "
        "WHERE grid_code IN ('330203001012', '840617999001') ORDER BY grid_code"
    ).result_rows
    assert rows[0][:5] == ("南门街道第012网格", "南门街道", "海曙区", "宁波市", "Asia/Shanghai")
    assert rows[1][2:] == ("波士顿市", "波士顿市", "America/New_York", None)
    assert value(migrated, "SELECT count() FROM grid_directory") == DIMENSIONS["grids"]
    assert value(migrated, "SELECT countIf(grid_zh = '' OR town_zh = '' OR county_zh = '') FROM grid_directory") == 0


def test_reports_shows_the_newest_message_and_the_first_handling(migrated_database: Client) -> None:
    columns = "(day, city_code, event_id, report_id, status, reported_at, updated_at, due_at, event_type)"
    for event, status, updated, kind in [
        ("3", "closed", "2026-11-21 12:00:00", 405),
        ("1", "reported", "2026-11-20 10:00:00", 999),
        ("2", "resolved", "2026-11-21 09:00:00", 405),
        ("2", "resolved", "2026-11-21 09:00:00", 405),  # a resend
    ]:
        migrated_database.command(
            f"INSERT INTO events {columns} VALUES ('2026-11-20', '330200', "
            f"'00000000-0000-0000-0000-00000000000{event}', 'r1', '{status}', "
            f"'2026-11-20 10:00:00', '{updated}', '2026-11-21 10:00:00', {kind})"
        )
    query = "SELECT status, event_type, handled, on_time, reopened, toString(handled_at) FROM reports"
    assert migrated_database.query(query).result_rows == [("closed", 405, 1, 1, 0, "2026-11-21 09:00:00.000")]


def test_plain_hashes_of_messages_are_removed(client: Client) -> None:
    before = [migration for migration in migrations() if migration.number < KEYED_HASHES]
    migrate(client, files=before)
    client.insert("quarantine", [["9f" * 32, n] for n in range(3)], column_names=["payload_sha256", "kafka_offset"])
    migrate(client, files=migrations()[:KEYED_HASHES])
    assert value(client, "SELECT groupArray(toString(payload_sha256)) FROM quarantine") == ["0" * 64] * 3

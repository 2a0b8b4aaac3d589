"""A database with data is brought up to date: nothing is lost, and every statement may run again."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.database.migrate import migrate
from schemas.migrations import migrations, statements

RELEASED = 17  # migrations of databases that hold data
MOMENT = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
NAMES = ["day", "city_code", "event_id", "report_id", "source", "status", "reported_at", "updated_at", "due_at",
         "event_type", "topic_id", "kafka_offset", "text"]  # fmt: skip
# Two reports under one id, and two steps in one second whose event ids are in the wrong order.
MESSAGES = [
    (1, "1001", "hotline", "reported", 0),
    (2, "1001", "wechat", "closed", 3600),
    (9, "CASE-24", "hotline", "dispatched", 7200),
    (3, "CASE-24", "hotline", "closed", 7200),
]
EXPECTED = [("1001", "hotline", "reported"), ("1001", "wechat", "closed"), ("CASE-24", "hotline", "closed")]


def store(client: Client, messages: Sequence[tuple[int, str, str, str, int]], first: int = 0) -> None:
    rows = [
        [MOMENT.date(), "330200", UUID(int=number), report, source, status, MOMENT,
         MOMENT + timedelta(seconds=late), MOMENT + timedelta(days=1), 405, "t", offset, "路灯不亮"]
        for offset, (number, report, source, status, late) in enumerate(messages, first)
    ]  # fmt: skip
    client.insert("events", rows, column_names=NAMES)


def states(client: Client) -> list[tuple[str, ...]]:
    rows = client.query("SELECT report_id, source, status FROM reports ORDER BY report_id, source").result_rows
    return [tuple(row) for row in rows]


@pytest.fixture
def filled(client: Client) -> Iterator[Client]:
    """A database of the release before, with data."""
    migrate(client, files=migrations()[:RELEASED])
    store(client, MESSAGES)
    assert states(client) != EXPECTED
    yield client


def test_filled_tables_are_migrated(filled: Client) -> None:
    migrate(filled)
    assert states(filled) == EXPECTED
    assert filled.query("SELECT count() FROM report_states FINAL").result_rows == [(3,)]
    store(filled, [(4, "1001", "hotline", "closed", 3600)], first=4)
    assert states(filled)[0] == ("1001", "hotline", "closed")


def test_every_figure_is_built_again(filled: Client) -> None:
    activity = "SELECT sum(rows) FROM day_activity WHERE day = '2026-11-29'"
    before = filled.query(activity).result_rows
    migrate(filled)
    assert filled.query(activity).result_rows > before


def test_a_migration_that_broke_off_is_continued(filled: Client) -> None:
    """After each statement: what was loaded meanwhile is there in the end."""
    for migration in migrations()[RELEASED:]:
        script = statements(migration.sql)
        for done in range(1, len(script) + 1):
            for statement in script[:done]:
                filled.command(statement)
            store(filled, [(100 + done, f"{migration.number}-{done:02}", "forum", "reported", 0)], first=100 + done)
        for statement in script:
            filled.command(statement)
        loaded = {row[0] for row in states(filled)}
        assert {f"{migration.number}-{done:02}" for done in range(1, len(script) + 1)} <= loaded
    assert [state for state in states(filled) if state[1] != "forum"] == EXPECTED
    left = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%swap%'"
    assert filled.query(left).result_rows == [(0,)]

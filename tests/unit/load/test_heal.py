"""Healing derives again what the materialized views derive on insert: both must say the same."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.services.queries import query_text

TABLES = ["report_states", "report_handling"]
_VIEW = """
SELECT formatQuerySingleLine(replaceAll(as_select, concat(currentDatabase(), '.'), '')) FROM system.tables
WHERE database = currentDatabase() AND name = {view:String}"""
_HEAL = "SELECT formatQuerySingleLine({query:String})"
_MORNING = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize("table", [*TABLES, "closing_bounds"])
def test_the_query_is_the_views(migrated_database: Client, table: str) -> None:
    ((view,),) = migrated_database.query(_VIEW, {"view": f"{table}_from_events"}).result_rows
    target, select, _ = re.split(r"(?=\nSELECT\b)|(?=\n(?:WHERE|  AND) topic_id)", query_text(f"load/heal_{table}.sql"))
    ((healing,),) = migrated_database.query(_HEAL, {"query": select}).result_rows
    assert healing == view
    assert target.endswith(f"INSERT INTO {table}")


@pytest.mark.parametrize("table", TABLES)
def test_a_healed_range_holds_what_the_view_made(migrated_database: Client, table: str) -> None:
    """Each status once, the last offset outside the range."""
    statuses = ["reported", "resolved", "closed", "reopened", "rejected", "closed"]
    names = ["day", "event_id", "report_id", "status", "updated_at", "topic_id", "kafka_partition", "kafka_offset"]
    rows = [
        [_MORNING.date(), UUID(int=n), f"r{n}", status, _MORNING + timedelta(hours=n), "t", 1, n]
        for n, status in enumerate(statuses)
    ]
    migrated_database.insert("events", rows, column_names=names)
    made = migrated_database.query(f"SELECT * FROM {table} WHERE report_id < 'r5' ORDER BY report_id").result_rows
    migrated_database.command(f"TRUNCATE TABLE {table}")
    scope = {"topic_id": "t", "partition": 1, "first": 0, "last": 4}
    migrated_database.command(query_text(f"load/heal_{table}.sql"), scope)
    assert migrated_database.query(f"SELECT * FROM {table} ORDER BY report_id").result_rows == made
    assert len(made) == 5


def test_healed_bounds_are_those_of_the_range(migrated_database: Client) -> None:
    """Without them a bound would be shown as the time of closing."""
    names = ["day", "event_id", "extra", "topic_id", "kafka_partition", "kafka_offset"]
    bound = '{"closing_time": "bound"}'
    rows = [[_MORNING.date(), UUID(int=n), bound if n else "{}", "t", 1, n] for n in range(4)]
    migrated_database.insert("events", rows, column_names=names)
    migrated_database.command("TRUNCATE TABLE closing_bounds")
    scope = {"topic_id": "t", "partition": 1, "first": 0, "last": 2}
    migrated_database.command(query_text("load/heal_closing_bounds.sql"), scope)
    stored = migrated_database.query("SELECT event_id FROM closing_bounds ORDER BY event_id").result_rows
    assert stored == [(UUID(int=1),), (UUID(int=2),)]

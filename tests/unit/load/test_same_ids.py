"""Which message of a report is the newest, and what a report is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client

from schemas.contract.v1 import STATUSES

MOMENT = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)


def store(client: Client, *rows: dict[str, Any]) -> None:
    """Insert each row of `events` on its own, as separate messages may arrive."""
    for row in rows:
        values = {"day": MOMENT.date(), "report_id": "1001", "source": "hotline", "updated_at": MOMENT} | row
        client.insert("events", [list(values.values())], column_names=list(values))


def event(number: int, status: str, offset: int = 0, **fields: Any) -> dict[str, Any]:
    return {"event_id": UUID(int=number), "status": status, "kafka_offset": offset, **fields}


def statuses(client: Client) -> list[str]:
    return [status for (status,) in client.query("SELECT status FROM reports ORDER BY source").result_rows]


def test_two_sources_may_use_one_report_id(migrated_database: Client) -> None:
    store(
        migrated_database,
        event(1, "reported"),
        event(2, "closed", source="wechat", updated_at=MOMENT + timedelta(hours=1)),
    )
    query = "SELECT source, status, handled, handled_at FROM reports ORDER BY source"
    rows = migrated_database.query(query).result_rows
    assert [row[:3] for row in rows] == [("hotline", "reported", False), ("wechat", "closed", True)]
    assert rows[0][3] is None


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("earlier", "later"), list(zip(STATUSES, STATUSES[1:], strict=False)))
def test_the_later_step_wins_at_the_same_moment(
    migrated_database: Client, earlier: str, later: str, backwards: bool
) -> None:
    """Neither the event_id nor the order of arrival decides."""
    steps = [event(9, earlier, offset=7), event(1, later, offset=3)]
    store(migrated_database, *(reversed(steps) if backwards else steps))
    assert statuses(migrated_database) == [later]


def test_of_the_same_step_the_later_offset_wins(migrated_database: Client) -> None:
    store(migrated_database, event(9, "reported", 7, severity=1), event(1, "reported", 8, severity=4))
    assert migrated_database.query("SELECT severity FROM reports").result_rows == [(4,)]


def test_a_later_moment_wins_over_a_later_step(migrated_database: Client) -> None:
    later = event(1, "dispatched", offset=1, updated_at=MOMENT + timedelta(milliseconds=1))
    store(migrated_database, later, event(2, "rejected", offset=2))
    assert statuses(migrated_database) == ["dispatched"]

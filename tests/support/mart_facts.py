"""Rows of `events` and `grids` for the tests of the rollup and the marts."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

SHANGHAI = ZoneInfo("Asia/Shanghai")
CITY = "990000"


def at(day: date, hour: float = 8) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(hours=hour)


def message(report: str, day: date, status: str = "reported", **fields: Any) -> dict[str, Any]:
    """A row of `events`: reported at 8, due after 24 hours. `after`: hours from reported_at to updated_at."""
    grid = fields.pop("grid", f"{CITY[:4]}01001001")
    after = fields.pop("after", 0.0)
    return {
        "day": day,
        "city_code": CITY,
        "county_code": grid[:6],
        "town_code": grid[:9],
        "grid_code": grid,
        "event_id": uuid.uuid4(),
        "report_id": report,
        "status": status,
        "reported_at": at(day),
        "updated_at": at(day) + timedelta(hours=after),
        "due_at": at(day) + timedelta(hours=24),
        "event_type": 201,
        "decided_by": "model",
    } | fields


def insert(client: Client, rows: list[dict[str, Any]]) -> None:
    names = list({name: None for row in rows for name in row})
    client.insert("events", [[row.get(name) for name in names] for row in rows], column_names=names)


def registered(
    client: Client, grid: str, households: int | None, since: date = date(2020, 1, 1), until: date | None = None
) -> None:
    names = ["grid_code", "town_code", "county_code", "city_code", "zh", "households", "valid_from", "valid_to"]
    client.insert(
        "grids", [[grid, grid[:9], grid[:6], CITY, f"网格{grid}", households, since, until]], column_names=names
    )

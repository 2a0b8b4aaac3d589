"""Reports of one day, inserted into `events` for the tests of the rollup."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.clock import SHANGHAI
from schemas.registry import grids

CITY = "330200"
DAY = datetime.now(SHANGHAI).date() - timedelta(days=10)
NAMES = [
    "day", "city_code", "county_code", "town_code", "grid_code", "event_id", "report_id", "status", "reported_at",
    "updated_at", "due_at", "event_type", "decided_by", "satisfaction",
]  # fmt: skip


def insert(client: Client, count: int, day: date = DAY, status: str = "reported", hours: float = 0) -> None:
    """Insert `count` reports r0, r1, ... spread over the grids of Ningbo. Report ids are the same each time."""
    morning = datetime(day.year, day.month, day.day, 8, tzinfo=SHANGHAI)
    places = grids(CITY)
    rows: list[list[Any]] = []
    for n in range(count):
        place, moment = places[n * 37 % len(places)], morning + timedelta(seconds=n, milliseconds=n % 1000)
        codes = [place.city_code, place.county_code, place.town_code, place.grid_code]
        times = [moment, moment + timedelta(hours=hours), moment + timedelta(hours=24)]
        satisfaction = 1 + n % 5 if status == "closed" else None
        report = f"{day}-r{n}"
        rows.append([day, *codes, uuid.uuid4(), report, status, *times, 101 + n % 3, "model", satisfaction])
    client.insert("events", rows, column_names=NAMES)


def private_tables(client: Client) -> int:
    """The number of private tables of builds."""
    query = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'building_')"
    return int(client.query(query).result_rows[0][0])

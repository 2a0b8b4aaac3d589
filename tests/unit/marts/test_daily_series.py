"""The daily series, and that each of its figures is the number of reports behind it."""

from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.clock import now
from pipelines.marts.build import build_mart, mart_differences
from pipelines.marts.catalog import DAILY_SERIES, period_of
from pipelines.marts.rollup import build_day
from tests.support.mart_facts import CITY, insert, message

DAY = date(2026, 3, 4)
PERIOD = period_of("day", DAY)
FIGURES = ("handled", "on_time", "reopened", "rejected")
NEAR, ALSO_NEAR, FAR = "990001001001", "990001002001", "990002001001"


@pytest.fixture
def series(client: Client) -> Client:
    """Type 201 in two towns of county 990001; the same type elsewhere, another type, another day."""
    insert(
        client,
        [
            message("open", DAY, grid=NEAR),
            message("on time", DAY, "closed", grid=ALSO_NEAR, after=3),
            message("late", DAY, "reopened", grid=NEAR, after=20),
            message("late", DAY, "resolved", grid=NEAR, after=30),
            message("dismissed", DAY, "rejected", grid=ALSO_NEAR, after=1),
            message("far", DAY, grid=FAR),
            message("other type", DAY, "closed", grid=NEAR, after=1, event_type=305),
            message("corrected", DAY, grid=FAR, event_type=305),
            message("corrected", DAY, grid=NEAR, event_type=201, after=1),
            message("day before", DAY - timedelta(days=1), grid=NEAR),
        ],
    )
    for day in (DAY - timedelta(days=1), DAY):
        build_day(client, day, "run")
    build_mart(client, DAILY_SERIES, PERIOD, "run", now())
    return client


def _rows(client: Client, view: str) -> dict[tuple[str, int], dict[str, Any]]:
    rows = client.query(f"SELECT * FROM {view} WHERE city_code = {{city:String}}", {"city": CITY}).named_results()
    return {(row["county_code"], row["event_type"]): row for row in rows}


def test_figures_by_county_and_type(series: Client) -> None:
    rows = _rows(series, "daily_series")
    assert {key: row["reported"] for key, row in rows.items()} == {
        ("990001", 201): 5,
        ("990001", 305): 1,
        ("990002", 201): 1,
    }
    assert {row["day"] for row in rows.values()} == {DAY}
    assert [rows["990001", 201][name] for name in FIGURES] == [2, 1, 1, 1]
    assert mart_differences(series, DAILY_SERIES, PERIOD) == 0


def test_every_figure_is_the_number_of_reports_behind_it(series: Client) -> None:
    for (county, event_type), row in _rows(series, "daily_series").items():
        scope = {"day": DAY, "area": county, "event_type": event_type}
        behind = list(series.query(DAILY_SERIES.drill_sql, scope).named_results())
        assert len({report["report_id"] for report in behind}) == len(behind) == row["reported"]
        assert {name: sum(report[name] for report in behind) for name in FIGURES} == {n: row[n] for n in FIGURES}


def test_published_cells_below_five_are_null(series: Client) -> None:
    rows = _rows(series, "published_daily_series")
    shown = rows["990001", 201]
    assert (shown["reported"], shown["suppressed"]) == (5, 0)
    assert {shown[name] for name in FIGURES} == {None}
    assert (rows["990001", 305]["reported"], rows["990001", 305]["suppressed"]) == (None, 1)

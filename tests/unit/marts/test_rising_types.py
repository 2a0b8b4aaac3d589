"""Rising types: z by hand, small counts, short histories."""

from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from marts_facts import CITY, insert, message

from pipelines.marts.build import build_mart, now
from pipelines.marts.catalog import DAILY_SERIES, RISING_TYPES, period_of
from pipelines.rollup import build_day, sql

DAY = date(2026, 3, 31)
COUNTY = CITY[:4] + "01"


def _week(ago: int, count: int, event_type: int) -> list[dict[str, Any]]:
    """`count` reports on the last day of the week that ended 7 * `ago` days before DAY."""
    day = DAY - timedelta(days=7 * ago)
    return [message(f"{event_type}-{ago}-{n}", day, event_type=event_type) for n in range(count)]


def _history(client: Client, *series: tuple[int, tuple[int, ...]], begin: int = 34) -> None:
    """Series of weekly counts by event type, this week first; the city's first report `begin` days ago."""
    rows = [message("first", DAY - timedelta(days=begin), event_type=999)]
    for event_type, weekly in series:
        for ago, count in enumerate(weekly):
            rows += _week(ago, count, event_type)
    insert(client, rows)
    for day in {row["day"] for row in rows}:
        build_day(client, day, "run")
        build_mart(client, DAILY_SERIES, period_of("day", day), "run", now())
    build_mart(client, RISING_TYPES, period_of("day", DAY), "run", now())


def _row(client: Client, event_type: int, level: str = "county") -> dict[str, Any]:
    query = (
        "SELECT * FROM rising_types WHERE day = {day:Date} AND level = {level:String} AND event_type = {type:UInt16}"
    )
    (row,) = client.query(query, {"day": DAY, "level": level, "type": event_type}).named_results()
    return row


def test_z_of_a_steady_type_that_trebles(client: Client) -> None:
    _history(client, (201, (9, 2, 4, 3, 3)))
    row = _row(client, 201)
    assert (row["last_7"], row["previous_7"], row["base"], row["base_days"]) == (9, 2, 12, 28)
    assert (row["expected"], row["ratio"], row["dispersion"]) == (3.0, 3.0, 1.0)
    assert row["z"] == pytest.approx(2.3308, abs=1e-4)  # 2 (sqrt 9.375 - sqrt 3.09375) / sqrt 1.25


def test_a_type_that_always_came_in_bunches_surprises_less(client: Client) -> None:
    _history(client, (201, (9, 0, 12, 0, 0)))
    row = _row(client, 201)
    assert row["dispersion"] == pytest.approx(12.0)  # sample variance 36, mean 3
    assert row["z"] == pytest.approx(2.3308 / 12**0.5, abs=1e-4)


def test_one_report_out_of_nothing_is_no_surprise_but_twenty_are(client: Client) -> None:
    _history(client, (201, (1, 0, 0, 0, 0)), (202, (20, 0, 0, 0, 0)))
    one, twenty = _row(client, 201), _row(client, 202)
    assert (one["expected"], one["ratio"]) == (0.0, None)
    assert one["z"] < 1.65 < 3 < twenty["z"]
    assert (twenty["rank"], one["rank"]) == (1, 2)


def test_a_young_city_is_judged_by_the_whole_weeks_it_has(client: Client) -> None:
    _history(client, (201, (6, 3, 3)), begin=21)
    row = _row(client, 201)
    assert (row["base"], row["base_days"], row["expected"]) == (6, 14, 3.0)


def test_without_a_base_there_is_no_judgement(client: Client) -> None:
    _history(client, (201, (6,)), begin=10)
    row = _row(client, 201)
    assert (row["base_days"], row["expected"], row["ratio"], row["z"]) == (0, None, None, None)


def test_equal_types_share_a_rank_and_the_city_sums_its_counties(client: Client) -> None:
    _history(client, (201, (5, 1, 1, 1, 1)), (202, (5, 1, 1, 1, 1)))
    assert _row(client, 201)["rank"] == _row(client, 202)["rank"] == 1
    city = _row(client, 201, "city")
    assert (city["area_code"], city["last_7"]) == (CITY, 5)


def test_counts_are_the_reports_behind_them(client: Client) -> None:
    _history(client, (201, (9, 2, 4, 3, 3)))
    scope = {"day": DAY, "base_days": 28, "event_type": 201, "area": COUNTY}
    parts = [row["part"] for row in client.query(sql("marts/drill/rising_types.sql"), scope).named_results()]
    assert (parts.count("last_7"), parts.count("base")) == (9, 12)


def test_published_rising_types_keep_the_alarm_and_hide_small_counts(client: Client) -> None:
    _history(client, (201, (4, 1, 1, 1, 1)), (202, (20, 0, 1, 0, 0)))
    query = "SELECT * FROM published_rising_types WHERE day = {day:Date} AND level = 'county' AND event_type < 999"
    few, many = sorted(client.query(query, {"day": DAY}).named_results(), key=lambda row: row["event_type"])
    assert (few["suppressed"], few["last_7"], few["z"], few["rank"]) == (1, None, None, None)
    assert (many["last_7"], many["base"], many["expected"], many["ratio"], many["rank"]) == (20, None, None, None, 1)
    assert many["z"] > 2

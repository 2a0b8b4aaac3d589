"""Rising types: z by hand, windows of young cities, stray reports, small counts."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from marts_facts import CITY, insert, message

from pipelines.marts.build import build_mart, mart_differences, now
from pipelines.marts.catalog import RISING_TYPES, period_of
from pipelines.sql import packaged

DAY = date(2026, 3, 31)
COUNTY, ELSEWHERE = CITY[:4] + "01", CITY[:4] + "02"
PERIOD = period_of("day", DAY)
USUAL = 20  # reports a day of the other county, which say since when the city has been observed


Strays = Sequence[tuple[int, int]]
Row = tuple[str, date, str, int, int]


def _counts(observed: int, series: dict[int, Sequence[int]], strays: Strays = (), city: str = CITY) -> list[Row]:
    """Daily counts by event type, DAY first, in a city observed for so many days; strays are (days ago, reports)."""
    rows: list[tuple[int, str, int, int]] = [(ago, ELSEWHERE, 999, USUAL) for ago in range(observed)]
    rows += [(ago, COUNTY, kind, count) for kind, daily in series.items() for ago, count in enumerate(daily)]
    rows += [(ago, ELSEWHERE, 608, count) for ago, count in strays]
    return [(city, DAY - timedelta(days=ago), county, kind, n) for ago, county, kind, n in rows if n]


def _build(client: Client, rows: list[Row]) -> None:
    names = ["city_code", "day", "county_code", "event_type", "reported"]
    client.insert("mart_daily_series", rows, column_names=names)
    build_mart(client, RISING_TYPES, PERIOD, "run", now())


def _judge(client: Client, observed: int, series: dict[int, Sequence[int]], strays: Strays = ()) -> None:
    _build(client, _counts(observed, series, strays))


def _weekly(*counts: int) -> list[int]:
    """Counts of whole weeks, this week first, each on the last day of its week."""
    return [n if weekday == 0 else 0 for n in counts for weekday in range(7)]


def _rows(client: Client, level: str = "county") -> dict[int, dict[str, Any]]:
    query = "SELECT * FROM rising_types WHERE area_code = {area:String}"
    rows = client.query(query, {"area": COUNTY if level == "county" else CITY}).named_results()
    return {row["event_type"]: row for row in rows}


def _windows(row: dict[str, Any]) -> tuple[int, int, int, int, int]:
    return row["recent"], row["previous"], row["recent_days"], row["base"], row["base_days"]


def test_z_of_a_steady_type_that_trebles(client: Client) -> None:
    _judge(client, 40, {201: _weekly(9, 2, 4, 3, 3)})
    row = _rows(client)[201]
    assert _windows(row) == (9, 2, 7, 12, 28)
    assert (row["expected"], row["ratio"], row["dispersion"]) == (3.0, 3.0, 1.0)
    assert row["z"] == pytest.approx(2.3308, abs=1e-4)  # 2 (sqrt 9.375 - sqrt 3.09375) / sqrt 1.25


def test_a_type_that_always_came_in_bunches_surprises_less(client: Client) -> None:
    _judge(client, 35, {201: _weekly(9, 0, 12, 0, 0)})
    row = _rows(client)[201]
    assert row["dispersion"] == pytest.approx(12.0)  # sample variance 36, mean 3
    assert row["z"] == pytest.approx(2.3308 / 12**0.5, abs=1e-4)


def test_two_days_and_strays_compare_a_day_with_a_day(client: Client) -> None:
    strays = [(30, 1), (17, 2), (16, 1), (9, 1)]
    _judge(client, 2, {201: (9, 2), 202: (2, 3)}, strays)
    row = _rows(client)[201]
    assert _windows(row) == (9, 2, 1, 2, 1)
    assert (row["expected"], row["ratio"], row["dispersion"]) == (2.0, 4.5, 1.0)
    assert row["z"] == pytest.approx(2.1507, abs=1e-4)  # 2 (sqrt 9.375 - sqrt 2.375) / sqrt 2
    assert 608 not in _rows(client, "city")  # the strays are in neither window


def test_six_days_compare_three_with_three(client: Client) -> None:
    _judge(client, 6, {201: (5, 4, 3, 1, 2, 0)}, strays=[(20, 1)])
    row = _rows(client)[201]
    assert _windows(row) == (12, 3, 3, 3, 3)
    assert row["z"] == pytest.approx(2.3769, abs=1e-4)  # 2 (sqrt 12.375 - sqrt 3.375) / sqrt 2


def test_thirteen_days_compare_three_with_ten(client: Client) -> None:
    _judge(client, 13, {201: (4, 4, 4, 1, 1, 1, 2, 2, 2, 1, 1, 1, 3), 202: (4, 4, 4, 0, 0, 0, 12, 0, 0, 0, 0, 0, 3)})
    steady, bunched = _rows(client)[201], _rows(client)[202]
    assert _windows(steady) == (12, 3, 3, 15, 10)
    assert (steady["expected"], steady["dispersion"]) == (4.5, 1.0)
    assert steady["z"] == pytest.approx(2.4034, abs=1e-4)  # 2 (sqrt 12.375 - sqrt 4.6125) / sqrt 1.3
    assert bunched["dispersion"] == pytest.approx(12.0)  # of the blocks 0, 12, 0: sample variance 48, mean 4
    assert bunched["z"] == pytest.approx(2.4034 / 12**0.5, abs=1e-4)


WINDOWS = {1: (1, 0), 2: (1, 1), 3: (1, 2), 4: (2, 2), 5: (2, 3), 6: (3, 3), 13: (3, 10), 14: (7, 7), 20: (7, 7)}
WINDOWS |= {21: (7, 14), 34: (7, 21), 35: (7, 28), 50: (7, 28)}


def test_windows_grow_with_the_days_observed(client: Client) -> None:
    cities = [_counts(n, {201: [1] * min(n, 35)}, city=f"{n:06}") for n in WINDOWS]
    _build(client, [row for city in cities for row in city])
    query = "SELECT toUInt8(city_code), recent_days, base_days, recent, base FROM rising_types WHERE event_type = 201"
    rows = client.query(f"{query} AND level = 'county'").result_rows
    assert {observed: days for observed, *days, _, _ in rows} == {n: list(days) for n, days in WINDOWS.items()}
    assert all((recent, base) == tuple(days) for _, *days, recent, base in rows)  # one report a day


@pytest.mark.parametrize(("stray", "base_days"), [(2, 10), (1, 3)])
def test_a_day_counts_from_a_tenth_of_the_busiest(client: Client, stray: int, base_days: int) -> None:
    _judge(client, 6, {}, strays=[(12, stray)])  # the busiest day has 20
    row = _rows(client, "city")[999]
    assert (row["recent_days"], row["base_days"]) == (3, base_days)


@pytest.mark.parametrize("observed", [2, 3, 6, 10, 13, 14, 21, 35])
def test_a_planted_surge_comes_first(client: Client, observed: int) -> None:
    recent = WINDOWS.get(observed, (3, 0))[0]
    steady = {kind: [3] * observed for kind in (201, 202, 203, 301, 401)}
    small = {402: [1] + [0] * (observed - 1)}
    surge = {305: [12] * recent + [3] * (observed - recent)}
    _judge(client, observed, steady | small | surge, strays=[(34, 1), (15, 2)] if observed < 15 else [])
    for level in ("county", "city"):
        rows = _rows(client, level)
        assert [kind for kind, row in rows.items() if row["rank"] == 1] == [305]
        assert 2 < rows[305]["z"] < 15
        assert all(abs(row["z"]) < 1.65 for kind, row in rows.items() if kind != 305)


def test_the_first_day_has_nothing_to_be_compared_with(client: Client) -> None:
    _judge(client, 1, {201: [6]}, strays=[(1, 1), (28, 1)])
    row = _rows(client)[201]
    assert _windows(row) == (6, 0, 1, 0, 0)
    assert (row["expected"], row["ratio"], row["z"]) == (None, None, None)


def test_one_report_out_of_nothing_is_no_surprise_but_twenty_are(client: Client) -> None:
    _judge(client, 35, {201: _weekly(1), 202: _weekly(20)})
    one, twenty = _rows(client)[201], _rows(client)[202]
    assert (one["expected"], one["ratio"]) == (0.0, None)
    assert one["z"] < 1.65 < 3 < twenty["z"]
    assert (twenty["rank"], one["rank"]) == (1, 2)


def test_equal_types_share_a_rank_and_the_city_sums_its_counties(client: Client) -> None:
    _judge(client, 35, {201: _weekly(5, 1, 1, 1, 1), 202: _weekly(5, 1, 1, 1, 1), 999: [1]})
    assert _rows(client)[201]["rank"] == _rows(client)[202]["rank"] == 1
    city = _rows(client, "city")[999]
    assert (city["area_code"], city["recent"]) == (CITY, 7 * USUAL + 1)


def test_a_changed_row_is_found(client: Client) -> None:
    _judge(client, 10, {201: [1] * 10})
    assert mart_differences(client, RISING_TYPES, PERIOD) == 0
    update = "ALTER TABLE mart_rising_types UPDATE z = z + 1 WHERE event_type = 201 AND level = 'city'"
    client.command(f"{update} SETTINGS mutations_sync = 1")
    assert mart_differences(client, RISING_TYPES, PERIOD) == 2  # the stored row and the recomputed one


@pytest.mark.parametrize("daily", [(5, 4, 3, 1, 2, 0, 2), tuple(_weekly(9, 2, 4))])
def test_counts_are_the_reports_behind_them(client: Client, daily: Sequence[int]) -> None:
    both = [
        (DAY - timedelta(days=ago), kind, n) for ago, count in enumerate(daily) for kind, n in ((201, count), (202, 1))
    ]
    insert(client, [message(f"{d}-{kind}-{n}", d, event_type=kind) for d, kind, count in both for n in range(count)])
    series = "SELECT city_code, day, county_code, event_type, count(), 0, 0, 0, 0 FROM reports GROUP BY ALL"
    client.command(f"INSERT INTO mart_daily_series {series}")
    build_mart(client, RISING_TYPES, PERIOD, "run", now())
    row = _rows(client)[201]
    scope = {"day": DAY, "event_type": 201, "area": COUNTY} | {n: row[n] for n in ("recent_days", "base_days")}
    parts = [report["part"] for report in client.query(packaged("marts/drill/rising_types.sql"), scope).named_results()]
    assert (parts.count("recent"), parts.count("base")) == (row["recent"], row["base"])
    assert row["base"] > 0


def _published(client: Client) -> dict[int, dict[str, Any]]:
    query = "SELECT * FROM published_rising_types WHERE area_code = {area:String}"
    return {row["event_type"]: row for row in client.query(query, {"area": COUNTY}).named_results()}


def test_published_rising_types_keep_the_alarm_and_hide_small_counts(client: Client) -> None:
    _judge(client, 35, {201: _weekly(4, 1, 1, 1, 1), 202: _weekly(20, 0, 1, 0, 0), 203: _weekly(9, 2, 4, 3, 3)})
    few, many, known = (_published(client)[kind] for kind in (201, 202, 203))
    assert (few["suppressed"], few["recent"], few["z"], few["rank"]) == (1, None, None, None)
    assert (many["recent"], many["base"], many["expected"], many["ratio"], many["rank"]) == (20, None, None, None, 1)
    assert (known["previous"], known["base"], known["z"]) == (None, 12, 2.3)


def test_a_small_base_cannot_be_read_from_a_published_z(client: Client) -> None:
    series = {101 + base: _weekly(20, base) for base in range(5)} | {201: _weekly(5, 1, 1, 1), 202: _weekly(5)}
    _judge(client, 35, series)
    exact, shown = _rows(client), _published(client)
    assert {shown[101 + base]["z"] for base in range(5)} == {3}
    assert len({round(exact[101 + base]["z"], 1) for base in range(5)}) == 5  # which the exact z would tell apart
    assert (exact[201]["z"], shown[201]["z"]) == (pytest.approx(2.5041, abs=1e-4), 2)
    assert all(row["z"] <= exact[kind]["z"] for kind, row in shown.items())

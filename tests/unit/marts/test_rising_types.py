"""Rising types: z by hand, windows of young cities, stray reports, small counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.clock import now
from pipelines.marts.build import build_mart, mart_differences
from pipelines.marts.catalog import RISING_TYPES, period_of
from tests.support.mart_facts import CITY, insert, message

DAY = date(2026, 3, 31)
COUNTY = f"{CITY[:4]}01"
PERIOD = period_of("day", DAY)
USUAL = 20  # reports a day of the other county, which say since when the city has been observed


Strays = Sequence[tuple[int, int]]
Row = tuple[str, date, str, int, int]
Rows = dict[int, dict[str, Any]]

PLANNED: dict[str, list[Row]] = {}  # daily counts by city: all are built at once, and only read


def planned(observed: int, series: dict[int, Sequence[int]], strays: Strays = ()) -> str:
    """A city observed for so many days: daily counts by event type, DAY first; strays are (days ago, reports)."""
    city = f"{len(PLANNED) + 1:04}00"
    PLANNED[city] = _counts(city, observed, series, strays)
    return city


def _counts(city: str, observed: int, series: dict[int, Sequence[int]], strays: Strays = ()) -> list[Row]:
    county, elsewhere = f"{city[:4]}01", f"{city[:4]}02"
    rows: list[tuple[int, str, int, int]] = [(ago, elsewhere, 999, USUAL) for ago in range(observed)]
    rows += [(ago, county, kind, count) for kind, daily in series.items() for ago, count in enumerate(daily)]
    rows += [(ago, elsewhere, 608, count) for ago, count in strays]
    return [(city, DAY - timedelta(days=ago), place, kind, n) for ago, place, kind, n in rows if n]


def _build(client: Client, rows: list[Row]) -> None:
    names = ["city_code", "day", "county_code", "event_type", "reported"]
    client.insert("mart_daily_series", rows, column_names=names)
    build_mart(client, RISING_TYPES, PERIOD, "run", now())


@dataclass(frozen=True)
class Judged:
    """What was built of `PLANNED`: rows of rising_types, or of what is published, by event type."""

    exact: list[dict[str, Any]]
    shown: list[dict[str, Any]]

    def county(self, city: str) -> Rows:
        return {row["event_type"]: row for row in self.exact if row["area_code"] == f"{city[:4]}01"}

    def city(self, city: str) -> Rows:
        return {row["event_type"]: row for row in self.exact if row["area_code"] == city}

    def published(self, city: str) -> Rows:
        return {row["event_type"]: row for row in self.shown if row["area_code"] == f"{city[:4]}01"}


@pytest.fixture(scope="module")
def judged(new_database: Callable[[], Client]) -> Judged:
    client = new_database()
    _build(client, [row for rows in PLANNED.values() for row in rows])
    views = ("rising_types", "published_rising_types")
    return Judged(*(list(client.query(f"SELECT * FROM {view}").named_results()) for view in views))


def _weekly(*counts: int) -> list[int]:
    """Counts of whole weeks, this week first, each on the last day of its week."""
    return [n if weekday == 0 else 0 for n in counts for weekday in range(7)]


def _windows(row: dict[str, Any]) -> tuple[int, int, int, int, int]:
    return row["recent"], row["previous"], row["recent_days"], row["base"], row["base_days"]


TREBLES = planned(40, {201: _weekly(9, 2, 4, 3, 3)})


def test_z_of_a_steady_type_that_trebles(judged: Judged) -> None:
    row = judged.county(TREBLES)[201]
    assert _windows(row) == (9, 2, 7, 12, 28)
    assert (row["expected"], row["ratio"], row["dispersion"]) == (3.0, 3.0, 1.0)
    assert row["z"] == pytest.approx(2.3308, abs=1e-4)  # 2 (sqrt 9.375 - sqrt 3.09375) / sqrt 1.25


BUNCHES = planned(35, {201: _weekly(9, 0, 12, 0, 0)})


def test_a_type_that_always_came_in_bunches_surprises_less(judged: Judged) -> None:
    row = judged.county(BUNCHES)[201]
    assert row["dispersion"] == pytest.approx(12.0)  # sample variance 36, mean 3
    assert row["z"] == pytest.approx(2.3308 / 12**0.5, abs=1e-4)


TWO_DAYS = planned(2, {201: (9, 2), 202: (2, 3)}, strays=[(30, 1), (17, 2), (16, 1), (9, 1)])


def test_two_days_and_strays_compare_a_day_with_a_day(judged: Judged) -> None:
    row = judged.county(TWO_DAYS)[201]
    assert _windows(row) == (9, 2, 1, 2, 1)
    assert (row["expected"], row["ratio"], row["dispersion"]) == (2.0, 4.5, 1.0)
    assert row["z"] == pytest.approx(2.1507, abs=1e-4)  # 2 (sqrt 9.375 - sqrt 2.375) / sqrt 2
    assert 608 not in judged.city(TWO_DAYS)  # the strays are in neither window


SIX_DAYS = planned(6, {201: (5, 4, 3, 1, 2, 0)}, strays=[(20, 1)])


def test_six_days_compare_three_with_three(judged: Judged) -> None:
    row = judged.county(SIX_DAYS)[201]
    assert _windows(row) == (12, 3, 3, 3, 3)
    assert row["z"] == pytest.approx(2.3769, abs=1e-4)  # 2 (sqrt 12.375 - sqrt 3.375) / sqrt 2


THIRTEEN_DAYS = planned(
    13, {201: (4, 4, 4, 1, 1, 1, 2, 2, 2, 1, 1, 1, 3), 202: (4, 4, 4, 0, 0, 0, 12, 0, 0, 0, 0, 0, 3)}
)


def test_thirteen_days_compare_three_with_ten(judged: Judged) -> None:
    steady, bunched = (judged.county(THIRTEEN_DAYS)[kind] for kind in (201, 202))
    assert _windows(steady) == (12, 3, 3, 15, 10)
    assert (steady["expected"], steady["dispersion"]) == (4.5, 1.0)
    assert steady["z"] == pytest.approx(2.4034, abs=1e-4)  # 2 (sqrt 12.375 - sqrt 4.6125) / sqrt 1.3
    assert bunched["dispersion"] == pytest.approx(12.0)  # of the blocks 0, 12, 0: sample variance 48, mean 4
    assert bunched["z"] == pytest.approx(2.4034 / 12**0.5, abs=1e-4)


WINDOWS = {1: (1, 0), 2: (1, 1), 3: (1, 2), 4: (2, 2), 5: (2, 3), 6: (3, 3), 13: (3, 10), 14: (7, 7), 20: (7, 7)}
WINDOWS |= {21: (7, 14), 34: (7, 21), 35: (7, 28), 50: (7, 28)}
OBSERVED = {n: planned(n, {201: [1] * min(n, 35)}) for n in WINDOWS}


@pytest.mark.parametrize("observed", WINDOWS)
def test_windows_grow_with_the_days_observed(judged: Judged, observed: int) -> None:
    row = judged.county(OBSERVED[observed])[201]
    assert (row["recent_days"], row["base_days"]) == WINDOWS[observed]
    assert (row["recent"], row["base"]) == WINDOWS[observed]  # one report a day


A_TENTH = [(planned(6, {}, strays=[(12, stray)]), base_days) for stray, base_days in ((2, 10), (1, 3))]


@pytest.mark.parametrize(("city", "base_days"), A_TENTH)
def test_a_day_counts_from_a_tenth_of_the_usual_day(judged: Judged, city: str, base_days: int) -> None:
    row = judged.city(city)[999]  # the usual day has 20
    assert (row["recent_days"], row["base_days"]) == (3, base_days)


# A festival, a storm, an import gone wrong: fifteen times the usual day, in a city known for 35 or for 20 days.
SPIKES = [(planned(n, {}, strays=[(ago, 14 * USUAL)]), WINDOWS[n]) for n, ago in ((35, 0), (35, 20), (20, 3))]


@pytest.mark.parametrize(("city", "windows"), SPIKES)
def test_a_single_spike_removes_no_day_from_the_history(judged: Judged, city: str, windows: tuple[int, int]) -> None:
    row = judged.city(city)[999]
    assert (row["recent_days"], row["base_days"]) == windows


SURGES = {
    observed: planned(
        observed,
        {kind: [3] * observed for kind in (201, 202, 203, 301, 401)}
        | {402: [1] + [0] * (observed - 1)}
        | {305: [12] * (recent := WINDOWS.get(observed, (3, 0))[0]) + [3] * (observed - recent)},
        strays=[(34, 1), (15, 2)] if observed < 15 else [],
    )
    for observed in (2, 3, 6, 10, 13, 14, 21, 35)
}


@pytest.mark.parametrize("observed", SURGES)
def test_a_planted_surge_comes_first(judged: Judged, observed: int) -> None:
    for rows in (judged.county(SURGES[observed]), judged.city(SURGES[observed])):
        assert [kind for kind, row in rows.items() if row["rank"] == 1] == [305]
        assert 2 < rows[305]["z"] < 15
        assert all(abs(row["z"]) < 1.65 for kind, row in rows.items() if kind != 305)


FIRST_DAY = planned(1, {201: [6]}, strays=[(1, 1), (28, 1)])


def test_the_first_day_has_nothing_to_be_compared_with(judged: Judged) -> None:
    row = judged.county(FIRST_DAY)[201]
    assert _windows(row) == (6, 0, 1, 0, 0)
    assert (row["expected"], row["ratio"], row["z"]) == (None, None, None)


OUT_OF_NOTHING = planned(35, {201: _weekly(1), 202: _weekly(20)})


def test_a_single_report_of_a_new_type_does_not_rise_but_twenty_do(judged: Judged) -> None:
    one, twenty = (judged.county(OUT_OF_NOTHING)[kind] for kind in (201, 202))
    assert (one["expected"], one["ratio"]) == (0.0, None)
    assert one["z"] < 1.65 < 3 < twenty["z"]
    assert (twenty["rank"], one["rank"]) == (1, 2)


EQUALS = planned(35, {201: _weekly(5, 1, 1, 1, 1), 202: _weekly(5, 1, 1, 1, 1), 999: [1]})


def test_equal_types_share_a_rank_and_the_city_sums_its_counties(judged: Judged) -> None:
    assert judged.county(EQUALS)[201]["rank"] == judged.county(EQUALS)[202]["rank"] == 1
    city = judged.city(EQUALS)[999]
    assert (city["area_code"], city["recent"]) == (EQUALS, 7 * USUAL + 1)


def test_a_changed_row_is_found(client: Client) -> None:
    _build(client, _counts(CITY, 10, {201: [1] * 10}))
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
    query = "SELECT recent, base, recent_days, base_days FROM mart_rising_types WHERE area_code = {area:String}"
    (row,) = client.query(f"{query} AND event_type = 201", {"area": COUNTY}).named_results()
    scope = {"day": DAY, "event_type": 201, "area": COUNTY} | {n: row[n] for n in ("recent_days", "base_days")}
    parts = [report["part"] for report in client.query(RISING_TYPES.drill_sql, scope).named_results()]
    assert (parts.count("recent"), parts.count("base")) == (row["recent"], row["base"])
    assert row["base"] > 0


HIDDEN = planned(35, {201: _weekly(4, 1, 1, 1, 1), 202: _weekly(20, 0, 1, 0, 0), 203: _weekly(9, 2, 4, 3, 3)})


def test_published_rising_types_keep_the_alarm_and_hide_small_counts(judged: Judged) -> None:
    few, many, known = (judged.published(HIDDEN)[kind] for kind in (201, 202, 203))
    assert (few["suppressed"], few["recent"], few["z"], few["rank"]) == (1, None, None, None)
    assert (many["recent"], many["base"], many["expected"], many["ratio"], many["rank"]) == (20, None, None, None, 1)
    assert (known["previous"], known["base"], known["z"]) == (None, 12, 2.3)


SMALL_BASES = {101 + base: _weekly(20, base) for base in range(5)}
SMALL = planned(35, SMALL_BASES | {201: _weekly(5, 1, 1, 1), 202: _weekly(5)})


def test_a_small_base_cannot_be_read_from_a_published_z(judged: Judged) -> None:
    exact, shown = judged.county(SMALL), judged.published(SMALL)
    assert {shown[kind]["z"] for kind in SMALL_BASES} == {3}
    assert len({round(exact[kind]["z"], 1) for kind in SMALL_BASES}) == 5  # which the exact z would distinguish
    assert (exact[201]["z"], shown[201]["z"]) == (pytest.approx(2.5041, abs=1e-4), 2)
    assert all(row["z"] <= exact[kind]["z"] for kind, row in shown.items())

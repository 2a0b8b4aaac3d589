"""The ranking of areas, with figures computed by hand.

Two counties: 990001 with grids A (100 households) and B (50), 990002 with grids C (unknown), E (10,
no reports) and D (no longer registered).
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.marts.build import build_mart, mart_differences
from pipelines.marts.catalog import AREA_RANKING, PeriodKind, period_of
from pipelines.marts.read import Reader
from pipelines.marts.rollup import build_day
from pipelines.marts.runner import Plan, execute, plan_days, stale_marts
from pipelines.verify.marts import check_marts
from tests.support.mart_facts import CITY, at, insert, message, registered

DAY = date(2026, 3, 4)  # a Wednesday
AS_OF = at(DAY, 33)  # an hour after the day's reports are due
A, B, C, D, E = "990001001001", "990001001002", "990002001001", "990002001002", "990002001003"
DRILLED = ("handled", "on_time", "due", "closed_by_limit", "reopened", "rejected", "overdue_open")


def _fill(client: Client) -> None:
    registered(client, A, 100)
    registered(client, B, 50)
    registered(client, C, None)
    registered(client, D, 30, until=DAY - timedelta(days=1))
    registered(client, E, 10)
    handled = [
        message("a1", DAY, "resolved", grid=A, after=2),
        message("a2", DAY, "closed", grid=A, after=4, satisfaction=5),
        message("a3", DAY, "closed", grid=A, after=30, satisfaction=2),
        message("c1", DAY, "closed", grid=C, after=1),
    ]
    waiting = [message("a4", DAY, grid=A), *(message(f"b{n}", DAY, grid=B) for n in range(3))]
    insert(client, [*handled, *waiting, message("b3", DAY, "rejected", grid=B)])


@pytest.fixture
def areas(client: Client) -> Client:
    """The areas and their reports, to be built and spoiled."""
    _fill(client)
    return client


@pytest.fixture(scope="module")
def ranked(new_database: Callable[[], Client]) -> Client:
    """The same, built once; only to be read."""
    client = new_database()
    _fill(client)
    execute(client, plan_days([DAY], AS_OF), as_of=AS_OF)
    return client


def _build(client: Client, kind: PeriodKind, as_of: datetime = AS_OF) -> None:
    """The day and its ranking alone."""
    build_day(client, DAY, "run")
    build_mart(client, AREA_RANKING, period_of(kind, DAY), "run", as_of)


def _ranking(client: Client, level: str, kind: PeriodKind = "day") -> dict[str, dict[str, Any]]:
    query = "SELECT * FROM area_ranking WHERE level = {level:String} AND period = {kind:String} ORDER BY area_code"
    rows = client.query(query, {"level": level, "kind": kind}).named_results()
    return {row["area_code"]: row for row in rows}


def _day_of(client: Client, area: str, day: date) -> dict[str, Any]:
    query = (
        "SELECT * FROM area_ranking WHERE period = 'day' AND period_start = {day:Date} AND area_code = {area:String}"
    )
    (row,) = client.query(query, {"day": day, "area": area}).named_results()
    return row


def _figures(rows: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return {code: row[name] for code, row in rows.items()}


def test_equal_counts_share_a_rank_and_empty_areas_are_listed(ranked: Client) -> None:
    grids = _ranking(ranked, "grid")
    assert _figures(grids, "reported") == {A: 4, B: 4, C: 1, E: 0}
    assert _figures(grids, "rank_by_count") == {A: 1, B: 1, C: 3, E: 4}


def test_the_on_time_rate_is_of_the_reports_due_in_the_period(ranked: Client) -> None:
    """They were reported the day before they are due; the late and the open ones count against an area."""
    assert set(_figures(_ranking(ranked, "grid"), "due").values()) == {0}
    week = _ranking(ranked, "grid", "week")
    assert _figures(week, "due") == {A: 4, B: 3, C: 1, E: 0}
    assert _figures(week, "closed_by_limit") == {A: 2, B: 0, C: 1, E: 0}
    assert _figures(week, "on_time_rate") == {A: 0.5, B: 0.0, C: 1.0, E: None}
    assert _figures(week, "rank_by_on_time") == {A: 2, B: 3, C: 1, E: 4}


def test_a_period_counts_reports_of_earlier_days_that_are_due_in_it(areas: Client) -> None:
    later = DAY + timedelta(days=1)
    insert(areas, [message("next", later, grid=A), message("week", DAY, grid=A, due_at=at(later, 200))])
    execute(areas, plan_days([DAY, later], AS_OF), as_of=AS_OF)
    grid = _day_of(areas, A, later)
    assert (grid["due"], grid["closed_by_limit"]) == (4, 2)
    assert mart_differences(areas, AREA_RANKING, period_of("day", later)) == 0


def test_a_late_step_rebuilds_the_period_in_which_the_report_is_due(areas: Client) -> None:
    later = DAY + timedelta(days=1)
    insert(areas, [message("next", later, grid=A)])
    execute(areas, plan_days([DAY, later], AS_OF), as_of=AS_OF)
    insert(areas, [message("a4", DAY, "closed", grid=A, after=20)])
    execute(areas, plan_days([DAY], AS_OF), as_of=AS_OF)
    assert _day_of(areas, A, later)["closed_by_limit"] == 3
    assert list(stale_marts(areas, AS_OF)) == []


def test_a_limit_that_has_not_passed_is_not_due(areas: Client) -> None:
    _build(areas, "week", at(DAY, 32))
    assert _ranking(areas, "county", "week")["990001"]["due"] == 0


def test_a_reopened_report_is_on_time_only_if_its_last_closing_was(areas: Client) -> None:
    steps = [("resolved", 2), ("reopened", 20), ("resolved", 30)]
    insert(areas, [message("again", DAY, status, grid=E, after=hours) for status, hours in steps])
    insert(areas, [message("soon", DAY, status, grid=E, after=hours / 2) for status, hours in steps])
    _build(areas, "week")
    grid = _ranking(areas, "grid", "week")[E]
    assert (grid["due"], grid["closed_by_limit"]) == (2, 1)
    assert grid["median_handling_hours"] == 22.5  # of 30 and 15


def test_a_bound_is_not_a_handling_time(areas: Client) -> None:
    """The source says on time or late, and not when: the rate is known, the time is not."""
    bound = {"extra": '{"closing_time": "bound"}', "grid": E}
    insert(
        areas, [message("in", DAY, "closed", after=24, **bound), message("late", DAY, "closed", after=24.1, **bound)]
    )
    _build(areas, "week")
    grid = _ranking(areas, "grid", "week")[E]
    assert (grid["handled"], grid["due"], grid["closed_by_limit"]) == (2, 2, 1)
    assert grid["median_handling_hours"] is None
    query = "SELECT DISTINCT handled_at, closing_time_bounded FROM reports WHERE grid_code = {grid:String}"
    assert areas.query(query, {"grid": E}).result_rows == [(None, 1)]


def test_an_area_that_keeps_few_limits_is_not_hidden(areas: Client) -> None:
    insert(areas, [message(f"c{n}", DAY, grid=C) for n in range(2, 32)])
    _build(areas, "week")
    query = "SELECT on_time_rate, rank_by_on_time FROM published_area_ranking WHERE area_code = {county:String}"
    ((rate, rank),) = areas.query(query, {"county": "990002"}).result_rows
    assert (round(rate, 2), rank) == (0.03, 2)


def test_unknown_households_give_no_density(ranked: Client) -> None:
    grids, counties = _ranking(ranked, "grid"), _ranking(ranked, "county")
    assert _figures(grids, "per_1000_households") == {A: 40, B: 80, C: None, E: 0}
    assert _figures(grids, "rank_by_per_1000") == {A: 2, B: 1, C: 4, E: 3}
    assert _figures(counties, "households") == {"990001": 150, "990002": None}
    assert counties["990001"]["per_1000_households"] == pytest.approx(8 / 150 * 1000)


def test_figures_of_a_county(ranked: Client) -> None:
    county = _ranking(ranked, "county")["990001"]
    assert (county["reported"], county["handled"], county["on_time"], county["rejected"]) == (8, 3, 2, 1)
    assert county["median_handling_hours"] == 4.0  # of 2, 4 and 30
    assert county["satisfaction_avg"] == 3.5
    assert county["parent_code"] == CITY


@pytest.mark.parametrize(("as_of", "overdue"), [(at(DAY, 32), 0), (at(DAY, 33), 4)])
def test_a_report_is_overdue_after_its_due_time_not_at_it(areas: Client, as_of: datetime, overdue: int) -> None:
    _build(areas, "week", as_of)
    assert _ranking(areas, "county", "week")["990001"]["overdue_open"] == overdue


def test_a_week_begins_on_monday_and_a_month_on_the_first(areas: Client) -> None:
    sunday = date(2026, 3, 1)
    insert(areas, [message("earlier", sunday, grid=A)])
    plan = plan_days([DAY, sunday], AS_OF)
    execute(areas, Plan(plan.days, tuple(pair for pair in plan.marts if pair[0] is AREA_RANKING)), as_of=AS_OF)
    query = "SELECT period, period_start, reported FROM mart_area_ranking WHERE area_code = {a:String} ORDER BY ALL"
    assert areas.query(query, {"a": A}).result_rows == [
        ("day", sunday, 1),
        ("day", DAY, 4),
        ("month", sunday, 5),
        ("week", date(2026, 2, 23), 1),
        ("week", date(2026, 3, 2), 4),
    ]


@pytest.mark.parametrize("level", ["county", "town", "grid"])
def test_every_figure_is_the_number_of_reports_behind_it(ranked: Client, level: str) -> None:
    for code, row in _ranking(ranked, level, "week").items():
        scope = {"first": row["period_start"], "last": row["period_end"], "city": CITY, "area": code}
        scope["as_of"] = AS_OF.strftime("%Y-%m-%d %H:%M:%S")
        behind = list(ranked.query(AREA_RANKING.drill_sql, scope).named_results())
        assert sum(report["in_period"] for report in behind) == row["reported"]
        assert {name: sum(report[name] for report in behind) for name in DRILLED} == {n: row[n] for n in DRILLED}


def test_published_cells_below_five_are_null(ranked: Client) -> None:
    query = "SELECT * FROM published_area_ranking WHERE period = 'day' AND area_code = {code:String}"
    (grid,) = ranked.query(query, {"code": A}).named_results()
    (county,) = ranked.query(query, {"code": "990001"}).named_results()
    assert grid["suppressed"]
    shown = {name for name, value in grid.items() if value is not None and name.startswith(("rank", "per", *DRILLED))}
    assert shown == {"period", "period_start", "period_end"}
    assert (county["reported"], county["handled"], county["on_time_rate"]) == (8, None, None)
    assert (county["rank_by_count"], county["rank_by_on_time"]) == (1, None)


def test_an_emptied_day_takes_its_ranking_along(areas: Client) -> None:
    _build(areas, "month")
    areas.command("TRUNCATE TABLE report_states")
    _build(areas, "month")
    assert areas.query("SELECT count() FROM mart_area_ranking").result_rows == [(0,)]


@pytest.mark.parametrize("kind", ["day", "week", "month"])
def test_a_changed_row_is_found(areas: Client, kind: PeriodKind) -> None:
    _build(areas, kind)
    period = period_of(kind, DAY)
    assert mart_differences(areas, AREA_RANKING, period) == 0
    update = f"ALTER TABLE mart_area_ranking UPDATE handled = handled + 1 WHERE area_code = '{A}'"
    areas.command(f"{update} SETTINGS mutations_sync = 1")
    assert mart_differences(areas, AREA_RANKING, period) == 2  # the stored row and the recomputed one


def test_the_proof_judges_a_ranking_with_reports_due_in_it(areas: Client) -> None:
    """The build has seen the days whose reports are due, so that the proof must count them as well."""
    execute(areas, plan_days([DAY], AS_OF), as_of=AS_OF)
    assert _ranking(areas, "county", "week")["990001"]["due"] > 0
    proof = check_marts(areas)
    assert (proof.findings, proof.figures["builds_stale"]) == ((), 0)


@pytest.fixture(scope="module")
def two_days(new_database: Callable[[], Client]) -> Client:
    client = new_database()
    _fill(client)
    insert(client, [message("n1", DAY + timedelta(1), grid=A)])
    execute(client, plan_days([DAY, DAY + timedelta(1)], AS_OF), as_of=AS_OF)
    return client


@pytest.mark.parametrize(
    ("today", "day", "shown"),
    [
        (DAY + timedelta(3), None, (DAY + timedelta(1), 1, False)),  # both days are over: the newer one
        (DAY + timedelta(1), None, (DAY, 1, False)),  # the second day is running: the one before
        (DAY + timedelta(1), DAY + timedelta(1), (DAY + timedelta(1), 0, True)),  # asked for: marked
        (DAY, None, (DAY + timedelta(1), 0, True)),  # none is over
    ],
)
def test_the_last_complete_period_is_shown(
    two_days: Client, today: date, day: date | None, shown: tuple[date, int, bool]
) -> None:
    areas = Reader(two_days, published=False, today=today).ranking(CITY, "county", "day", day=day)
    assert {(area.period_start, area.days_complete, area.running) for area in areas} == {shown}


def test_a_running_week_says_how_many_days_are_complete(two_days: Client) -> None:
    areas = Reader(two_days, published=False, today=DAY).ranking(CITY, "county", "week", day=DAY)
    assert {(area.days_complete, area.days, area.running) for area in areas} == {(2, 7, True)}

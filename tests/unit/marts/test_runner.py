"""What is rebuilt when: touched days, the periods they go into, aging, crashed builds."""

from datetime import date, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.marts.catalog import AREA_RANKING, DAILY_SERIES, MARTS, RISING_TYPES, Period, period_of
from pipelines.marts.rollup import build_day
from pipelines.marts.runner import BuildResult, Plan, execute, plan_days, plan_stale, stale_marts
from pipelines.marts.swap import Superseded, Swap, sweep
from pipelines.services.queries import query_text
from tests.support.mart_facts import at, insert, message

DAY = date(2026, 3, 4)
AS_OF = at(DAY, 12)


def _rebuild_stale(client: Client, as_of: datetime = AS_OF) -> BuildResult:
    return execute(client, plan_stale(client, as_of, settle=0), as_of=as_of)


def _built(client: Client, mart: str) -> list[tuple[str, date]]:
    query = "SELECT DISTINCT period, period_start FROM mart_builds WHERE mart = {mart:String} ORDER BY ALL"
    return [(kind, first) for kind, first in client.query(query, {"mart": mart}).result_rows]


@pytest.mark.parametrize(
    ("kind", "day", "first", "last"),
    [
        ("week", date(2026, 1, 1), date(2025, 12, 29), date(2026, 1, 4)),
        ("week", date(2026, 3, 2), date(2026, 3, 2), date(2026, 3, 8)),
        ("month", date(2024, 2, 29), date(2024, 2, 1), date(2024, 2, 29)),
        ("month", date(2026, 12, 31), date(2026, 12, 1), date(2026, 12, 31)),
        ("day", date(2026, 3, 4), date(2026, 3, 4), date(2026, 3, 4)),
    ],
)
def test_periods(kind: str, day: date, first: date, last: date) -> None:
    assert period_of(kind, day) == Period(kind, first, last)  # type: ignore[arg-type]


def test_a_touched_day_rebuilds_only_the_periods_it_goes_into() -> None:
    plan = plan_days([DAY], as_of=AS_OF + timedelta(days=2))
    ranking = [period.kind for mart, period in plan.marts if mart is AREA_RANKING]
    rising = [period.first for mart, period in plan.marts if mart is RISING_TYPES]
    assert sorted(ranking) == ["day", "month", "week"]
    assert rising == [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]  # no future day
    assert [mart.name for mart, _ in plan.marts] == sorted((m.name for m, _ in plan.marts), key=_order)


def _order(name: str) -> int:
    return [mart.name for mart in MARTS].index(name)


def test_an_old_day_reaches_no_further_than_its_window() -> None:
    plan = plan_days([DAY], as_of=AS_OF + timedelta(days=900))
    assert sum(mart is RISING_TYPES for mart, _ in plan.marts) == 35


def test_nothing_is_stale_after_a_rebuild_and_a_message_makes_it_so_again(client: Client) -> None:
    insert(client, [message("a", DAY), message("b", DAY - timedelta(days=1))])
    result = _rebuild_stale(client)
    assert len(result.days) == 2
    assert plan_stale(client, AS_OF, settle=0).steps == 0
    insert(client, [message("b", DAY - timedelta(days=1), "closed", after=3)])
    again = plan_stale(client, AS_OF, settle=0)
    assert again.days == (DAY - timedelta(days=1),)
    assert (DAILY_SERIES, period_of("day", DAY)) not in again.marts


def test_marts_that_a_crash_left_stale_are_rebuilt_in_one_run(client: Client) -> None:
    insert(client, [message("a", DAY)])
    _rebuild_stale(client)
    insert(client, [message("b", DAY)])
    build_day(client, DAY, "crashed before the marts")
    result = execute(client, Plan(marts=tuple(stale_marts(client, AS_OF))), as_of=AS_OF)
    assert not result.days
    assert {build.mart for build in result.marts} == {mart.name for mart in MARTS}
    assert client.query("SELECT recent FROM mart_rising_types WHERE level = 'city'").result_rows == [(2,)]
    assert plan_stale(client, AS_OF, settle=0).steps == 0


def test_the_next_day_gets_its_rising_types_without_any_message(client: Client) -> None:
    insert(client, [message("a", DAY)])
    _rebuild_stale(client)
    _rebuild_stale(client, AS_OF + timedelta(days=1))
    assert _built(client, "rising_types") == [("day", DAY), ("day", DAY + timedelta(days=1))]


def test_recent_rankings_age_once_a_day_and_old_ones_do_not(client: Client) -> None:
    insert(client, [message("a", DAY)])
    _rebuild_stale(client)
    late = [mart.name for mart, _ in plan_stale(client, AS_OF + timedelta(hours=11), settle=0).marts]
    tomorrow = plan_stale(client, AS_OF + timedelta(days=1), settle=0).marts
    next_year = plan_stale(client, AS_OF + timedelta(days=366), settle=0).marts
    assert late == []
    assert sum(mart is AREA_RANKING for mart, _ in tomorrow) == 3
    assert sum(mart is AREA_RANKING for mart, _ in next_year) == 0


def test_progress_counts_every_step(client: Client) -> None:
    insert(client, [message("a", DAY)])
    steps: list[int] = []
    result = execute(client, plan_days([DAY], AS_OF), steps.append, AS_OF)
    assert sum(steps) == len(result.days) + len(result.marts) == plan_days([DAY], AS_OF).steps


def test_columns_are_in_the_order_of_the_tables(client: Client) -> None:
    scope = {"period": "day", "first": DAY, "last": DAY, "as_of": "2026-03-04 12:00:00"}
    for mart in MARTS:
        selected = client.query(mart.build_sql, scope).column_names
        assert selected == client.query(f"SELECT * FROM {mart.table}").column_names


def test_a_later_build_takes_over_from_a_suspended_one(client: Client) -> None:
    insert(client, [message("a", DAY)])
    with pytest.raises(Superseded), Swap(client, "rollup_daily", DAY) as suspended:
        suspended.fill(query_text("marts/rollup.sql"), {"day": DAY})
        insert(client, [message("b", DAY)])
        assert build_day(client, DAY, "later").reports == 2
        suspended.commit()
    assert client.query("SELECT sum(reported) FROM rollup_daily").result_rows == [(2,)]


def test_a_suspended_build_of_an_empty_day_cannot_empty_it_later(client: Client) -> None:
    with pytest.raises(Superseded), Swap(client, "rollup_daily", DAY) as suspended:
        insert(client, [message("a", DAY)])
        build_day(client, DAY, "later")
        suspended.commit()
    assert client.query("SELECT sum(reported) FROM rollup_daily").result_rows == [(1,)]


def test_a_build_gives_up_if_a_later_build_has_begun(client: Client) -> None:
    client.command("CREATE TABLE building_rollup_daily_20260304_99999999999999999999_ff AS rollup_daily")
    assert build_day(client, DAY, "earlier").superseded
    assert client.query("SELECT count() FROM rollup_builds").result_rows == [(0,)]


def test_what_a_crash_leaves_is_swept(client: Client) -> None:
    client.command("CREATE TABLE building_rollup_daily_20260304_00001764000000000000_ab AS rollup_daily")
    client.command("CREATE TABLE building_mart_area_ranking_day_20260304_99999999999999999999_cd AS mart_area_ranking")
    assert sweep(client) == ["building_rollup_daily_20260304_00001764000000000000_ab"]
    assert sweep(client) == []

"""A change of what is read beside days (the registry of areas, the begin of the load) makes stale what reads it."""

from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.marts.catalog import AREA_RANKING
from pipelines.marts.recheck import recheck_days, recheck_mart
from pipelines.marts.rollup import stale_days
from pipelines.marts.runner import execute, plan_stale, stale_marts
from pipelines.verify.marts import check_marts
from pipelines.verify.rollup import check_rollup
from tests.support.mart_facts import CITY, at, insert, message, registered

DAY = date(2026, 3, 4)
AS_OF = at(DAY, 12)
A, B = "990001001001", "990001001002"
# The newest row of a code is valid.
CITIES = "INSERT INTO cities (city_code, zh, timezone) VALUES"
COUNTIES = "INSERT INTO counties (county_code, city_code, zh) VALUES"
REMOVED_TOWNS = "INSERT INTO towns (town_code, county_code, city_code, is_deleted) VALUES"
TOWNS = "INSERT INTO towns (town_code, county_code, city_code, zh) VALUES"


@pytest.fixture
def built(client: Client) -> Client:
    """Two grids with a report each, built."""
    registered(client, A, 100)
    registered(client, B, None)
    client.command(f"{CITIES} ('{CITY}', '城', 'Asia/Shanghai')")
    client.command(f"{COUNTIES} ('990001', '{CITY}', '区')")
    client.command(f"{TOWNS} ('990001001', '990001', '{CITY}', '镇')")
    insert(client, [message("a", DAY, grid=A), message("b", DAY, grid=B)])
    _rebuild_stale(client)
    return client


def _rebuild_stale(client: Client) -> None:
    execute(client, plan_stale(client, AS_OF, settle=0), as_of=AS_OF)


def _stale(client: Client) -> set[str]:
    return {mart.name for mart, _ in stale_marts(client, AS_OF)}


def _densities(client: Client) -> list[tuple[Any, ...]]:
    query = """SELECT per_1000_households, rank_by_per_1000 FROM mart_area_ranking
               WHERE level = 'grid' AND period = 'week' ORDER BY area_code"""
    return [tuple(row) for row in client.query(query).result_rows]


def test_other_households_rebuild_the_rankings(built: Client) -> None:
    assert _densities(built) == [(10, 1), (None, 2)]
    registered(built, B, 50)
    assert {(mart.name, period.kind) for mart, period in stale_marts(built, AS_OF)} == {
        ("area_ranking", kind) for kind in ("day", "week", "month")
    }
    _rebuild_stale(built)
    assert _densities(built) == [(10, 2), (20, 1)]
    assert _stale(built) == set()


@pytest.mark.parametrize(
    "change",
    [
        f"{CITIES} ('991100', '另一城', 'Asia/Shanghai')",
        f"{COUNTIES} ('990001', '991100', '区')",
        f"{TOWNS} ('990001002', '990001', '{CITY}', '镇')",
        f"{REMOVED_TOWNS} ('990001001', '990001', '{CITY}', 1)",
    ],
)
def test_other_areas_rebuild_the_scorecards_and_what_reads_them(built: Client, change: str) -> None:
    built.command(change)
    assert _stale(built) == {"scorecard", "area_ranking"}
    _rebuild_stale(built)
    assert _stale(built) == set()


def test_the_same_rows_loaded_again_make_nothing_stale(built: Client) -> None:
    registered(built, A, 100)
    registered(built, B, None)
    built.command(f"{TOWNS} ('990001001', '990001', '{CITY}', '镇的新名')")  # names are joined by views
    assert _stale(built) == set()


def test_unknown_households_are_not_none(built: Client) -> None:
    registered(built, B, 0)
    assert _stale(built) == {"area_ranking"}


def test_builds_from_before_the_digest_was_stored_are_stale_once(built: Client) -> None:
    built.command("ALTER TABLE mart_builds UPDATE inputs = 0 WHERE true SETTINGS mutations_sync = 1")
    assert _stale(built) == {"scorecard", "area_ranking"}
    _rebuild_stale(built)
    assert _stale(built) == set()


def test_builds_with_other_inputs_are_not_judged(built: Client) -> None:
    registered(built, B, 50)
    assert recheck_mart(built, AREA_RANKING) == {}
    assert check_marts(built).figures["builds_stale"] == 3
    _rebuild_stale(built)
    assert set(recheck_mart(built, AREA_RANKING).values()) == {0}
    proof = check_marts(built)
    assert (proof.findings, proof.figures["builds_stale"]) == ((), 0)


def test_another_time_zone_rebuilds_the_days_and_what_reads_them(built: Client) -> None:
    """Of a city whose clock is 13 hours behind: a limit at 8:00 in Shanghai falls on the day before."""
    days = "SELECT DISTINCT arrayJoin(due.day) FROM rollup_daily"
    assert built.query(days).result_rows == [(DAY + timedelta(days=1),)]
    built.command(f"{CITIES} ('{CITY}', '城', 'America/New_York')")
    assert stale_days(built, settle=0) == [DAY]
    assert recheck_days(built) == {}  # not judged
    proof = check_rollup(built)
    assert (proof.findings, proof.figures["days_stale"]) == ((), 1)
    _rebuild_stale(built)
    assert built.query(days).result_rows == [(DAY,)]
    assert (stale_days(built, settle=0), _stale(built)) == ([], set())
    assert recheck_days(built) == {DAY: 0}


def test_a_new_city_with_the_time_of_shanghai_touches_no_day(built: Client) -> None:
    built.command(f"{CITIES} ('991100', '另一城', 'Asia/Shanghai')")
    assert stale_days(built, settle=0) == []


def test_an_earlier_begin_of_the_load_rebuilds_the_scorecards(built: Client) -> None:
    """What happened before the first message arrived is not late: a partition loaded later may have an older one."""
    built.insert("ledger", [["t", at(DAY, 7)]], column_names=["topic", "first_kafka_time"])
    assert _stale(built) == {"scorecard", "area_ranking"}
    _rebuild_stale(built)
    built.insert("ledger", [["t", at(DAY, 9)]], column_names=["topic", "first_kafka_time"])
    assert _stale(built) == set()

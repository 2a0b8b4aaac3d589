"""The scorecards, with figures computed by hand.

County 990001 has the towns 990001001, which reports well, and 990001002, which does not; county 990002 was caught up
with.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.marts.build import build_mart, mart_differences
from pipelines.marts.catalog import AREA_RANKING, SCORECARD, period_of
from pipelines.marts.read import Reader
from pipelines.marts.rollup import build_day
from pipelines.marts.runner import execute, plan_days, stale_marts
from pipelines.verify.marts import check_marts
from schemas.sources import sources
from tests.support.mart_facts import CITY, at, insert, message, registered

TODAY = date(2026, 12, 1)
DAY = date(2026, 3, 4)
PERIOD = period_of("day", DAY)
_NINE = at(DAY, 9)
GOOD, BAD, BEHIND = "990001001", "990001002", "990002001"


_PLAIN: dict[str, Any] = {"lon": None, "lat": None, "handler": "", "warnings": [], "suspect": 0.0}


def _sent(report: str, town: str, lag: timedelta = timedelta(), **fields: Any) -> dict[str, Any]:
    """A message that arrives `lag` after it was updated."""
    row = message(
        report, DAY, **{"grid": f"{town}001", "source": "grid_app", "text": f"占道 {report}"} | _PLAIN | fields
    )
    return row | {"kafka_time": row["updated_at"] + lag}


_REMOVED = "0" * 64  # by the migration to keyed hashes: the payloads are compared


_DATED = '{"reported_at": "2026-03-04T01:00:00Z"}'  # 9:00 of DAY in Shanghai


def _refused(grid: str, payload: str = _DATED, arrived: datetime = _NINE, **fields: str) -> list[Any]:
    values = {"key": "", "source": "grid_app", "sha256": uuid4().hex * 2} | fields
    return [grid, values["key"], payload, arrived, values["source"], values["sha256"]]


def _refuse(client: Client, rows: list[list[Any]]) -> None:
    names = ["grid_code", "message_key", "payload", "kafka_time", "source", "payload_sha256"]
    client.insert("quarantine", [[*row, n] for n, row in enumerate(rows)], column_names=[*names, "kafka_offset"])


def _register(client: Client) -> None:
    named = ["zh", "en", "valid_from"]
    names = ["某", "Some", date(2020, 1, 1)]
    client.insert("cities", [[CITY, *names]], column_names=["city_code", *named])
    counties = [[f"{CITY[:4]}0{n}", CITY, *names] for n in (1, 2)]
    client.insert("counties", counties, column_names=["county_code", "city_code", *named])
    towns = [[town, town[:6], CITY, *names] for town in (GOOD, BAD, BEHIND)]
    named_sources = [[source.id, source.zh, source.en] for source in sources().values()]
    client.insert("sources", named_sources, column_names=["source", "source_zh", "source_en"])
    client.insert("towns", towns, column_names=["town_code", "county_code", "city_code", *named])
    for town in (GOOD, BAD, BEHIND):
        registered(client, f"{town}001", 100)


def _report(client: Client) -> None:
    """The good town: 4 reports, 5 messages. The bad one: 6 reports. The last: 3 reports two days late, 1 in time."""
    where = {"lon": 121.5, "lat": 29.9, "decided_by": "person"}
    good = [_sent(f"g{n}", GOOD, timedelta(seconds=10 * n), **where) for n in range(4)]
    good.append(_sent("g0", GOOD, timedelta(seconds=900), status="closed", after=2, handler="org", **where))
    bad = [_sent(f"b{n}", BAD, timedelta(hours=30), text="占道", warnings=["text_too_short"]) for n in range(3)]
    bad += [_sent(f"b{n}", BAD, timedelta(seconds=901), suspect=0.9, status="resolved", after=1) for n in (3, 4)]
    bad.append(_sent("b5", BAD, text="占 道！", suspect=0.5))
    behind = [_sent(f"l{n}", BEHIND, timedelta(days=2), source="hotline") for n in range(3)]
    insert(client, [*good, *bad, *behind, _sent("l3", BEHIND, source="hotline")])
    insert(client, [dict(behind[0])])  # a resend: the same event_id
    named = '{"reported_at": "2026-03-03T17:30:00Z"}'  # 01:30 of DAY in Shanghai
    _refuse(
        client,
        [
            _refused(f"{BAD}001"),
            _refused(f"{BAD}001", named, arrived=at(DAY, 80), sha256=_REMOVED),
            _refused("", key=f"{BAD}001", source="", sha256=_REMOVED),
            _refused(f"{BAD}999", sha256="e" * 64),
            _refused(f"{BAD}999", sha256="e" * 64),  # equal: once
            _refused("990001999001", source="strange"),  # an unknown town of a known county
            _refused("990099001001"),  # an unknown county of the city
            _refused("880001001001"),  # another city
            _refused(f"{GOOD}001", '{"reported_at": "2026-03-03T01:00:00Z"}'),  # the day before
            _refused(f"{GOOD}001", '{"reported_at": "2026-03-03T01:00:00Z"', arrived=at(DAY, 30)),  # cut: undated
        ],
    )


@pytest.fixture(scope="module")
def scored(new_database: Callable[[], Client]) -> Client:
    """Built once; only to be read."""
    client = new_database()
    _register(client)
    _report(client)
    execute(client, plan_days([DAY], at(DAY, 20)), as_of=at(DAY, 20))
    return client


@pytest.fixture(scope="module")
def cards(scored: Client) -> dict[str, dict[str, Any]]:
    """The rows by area or source."""
    return {row["area_code"]: row for row in scored.query("SELECT * FROM scorecard").named_results()}


def _figures(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def test_a_town_that_reports_well(cards: dict[str, dict[str, Any]]) -> None:
    row = cards[GOOD]
    assert _figures(row, "messages", "quarantined", "warned", "reports") == (5, 0, 0, 4)
    assert _figures(row, "located", "coded", "handled", "handler_named") == (4, 4, 1, 1)
    assert _figures(row, "prompt", "lag_p50_seconds", "lag_p95_seconds") == (5, 20, 900)
    assert _figures(row, "completeness", "validity", "timeliness", "duplicate_share") == (1.0, 1.0, 1.0, 0.0)
    assert row["score"] == 100.0


def test_a_town_that_reports_badly(cards: dict[str, dict[str, Any]]) -> None:
    row = cards[BAD]
    assert _figures(row, "messages", "quarantined", "warned", "suspected") == (6, 4, 3, 2)
    assert _figures(row, "reports", "located", "coded", "handled", "handler_named") == (6, 0, 0, 2, 0)
    assert _figures(row, "backfilled", "prompt") == (0, 1)  # 15 minutes and a second is late
    assert row["repeated"] == 3  # b1, b2 and b5 say what b0 said
    assert _figures(row, "validity", "completeness") == (4.5 / 10, 0.0)
    assert _figures(row, "timeliness", "duplicate_share", "suspect_share") == pytest.approx((1 / 6, 3 / 6, 2 / 6))
    assert row["score"] == 29.3  # 30 * .45 + 25 * 0 + 25 / 6 + 10 * .5 + 10 * 4 / 6


def test_what_a_source_caught_up_with_is_counted_apart(cards: dict[str, dict[str, Any]]) -> None:
    for row in (cards[BEHIND], cards["hotline"]):
        assert _figures(row, "messages", "backfilled", "prompt", "timeliness") == (4, 3, 1, 1.0)
        assert _figures(row, "lag_p50_seconds", "lag_p95_seconds") == (0, 0)


def test_what_happened_before_the_first_message_arrived_is_not_late(client: Client) -> None:
    client.insert("ledger", [["t", at(DAY, 10)], ["t", at(DAY, 12)]], column_names=["topic", "first_kafka_time"])
    before = [_sent("a", GOOD, timedelta(hours=2)), _sent("b", GOOD, timedelta(minutes=15))]
    insert(client, [*before, _sent("a", GOOD, timedelta(minutes=16), after=2), _sent("a", GOOD, after=3)])
    build_day(client, DAY, "run")
    build_mart(client, SCORECARD, PERIOD, "run", at(DAY))
    (town,) = client.query("SELECT * FROM scorecard WHERE level = 'town'").named_results()
    assert _figures(town, "messages", "backfilled", "prompt") == (4, 1, 2)
    assert town["timeliness"] == pytest.approx(2 / 3)
    assert check_marts(client).findings == ()


def test_parts_add_up_to_the_whole(cards: dict[str, dict[str, Any]]) -> None:
    city, counties = cards[CITY], [cards[f"{CITY[:4]}0{n}"] for n in (1, 2)]
    additive = ("messages", "warned", "suspected", "backfilled", "prompt", "reports", "located", "handled", "repeated")
    for name in additive:
        assert city[name] == sum(row[name] for row in counties) == cards["grid_app"][name] + cards["hotline"][name]
    assert (city["quarantined"], counties[0]["quarantined"], cards["grid_app"]["quarantined"]) == (6, 5, 4)


def test_only_places_and_sources_that_are_known_have_a_card(cards: dict[str, dict[str, Any]]) -> None:
    assert set(cards) == {CITY, "990001", "990002", GOOD, BAD, BEHIND, "grid_app", "hotline"}
    assert cards["hotline"]["area_zh"] == "热线"
    assert cards[GOOD]["area_zh"] == "某"


def test_the_messages_behind_a_card(scored: Client, cards: dict[str, dict[str, Any]]) -> None:
    for code, row in cards.items():
        scope = {"day": DAY, "city": CITY, "area": code}
        behind = list(scored.query(SCORECARD.drill_sql, scope).named_results())
        accepted = [report for report in behind if report["part"] == "accepted"]
        refused = {report["payload_sha256"] for report in behind if report["part"] == "quarantined"}
        assert (len(accepted), len(refused)) == (row["messages"], row["quarantined"]), code
        assert sum(report["warned"] for report in accepted) == row["warned"]
        assert sum(report["suspected"] for report in accepted) == row["suspected"]


def test_published_cards_hide_small_counts_and_keep_the_score(scored: Client) -> None:
    towns = {area.area_code: area for area in Reader(scored, today=TODAY).scorecard(CITY, "town")}
    assert list(towns) == [BAD, GOOD, BEHIND]  # lowest first, what is hidden last
    assert (towns[BAD].score, towns[BAD].messages, towns[BAD].quarantined, towns[BAD].validity) == (29.3, 6, None, 0.45)
    assert (towns[GOOD].reports, towns[GOOD].completeness, towns[GOOD].validity) == (None, None, 1.0)
    assert (towns[BEHIND].score, towns[BEHIND].messages, towns[BEHIND].lag_p50_seconds) == (None, None, None)


def test_a_ranking_shows_the_score_and_a_grid_its_towns(scored: Client) -> None:
    reader = Reader(scored, published=False, today=TODAY)
    towns = {area.area_code: area.quality_score for area in reader.ranking(CITY, "town", "week", day=DAY)}
    grids = {area.parent_code: area.quality_score for area in reader.ranking(CITY, "grid", "month", day=DAY)}
    assert towns == grids
    assert (towns[GOOD], towns[BAD]) == (100.0, 29.3)


def test_a_period_weighs_its_days_by_their_messages(client: Client) -> None:
    days = ((DAY, 2, 1, 90.0), (DAY + timedelta(days=1), 1, 0, 50.0))
    rows = [[CITY, day, "county", "990001", *figures] for day, *figures in days]
    names = ["city_code", "day", "level", "area_code", "messages", "quarantined", "score"]
    client.insert("mart_scorecard", rows, column_names=names)
    insert(client, [message("a", DAY)])
    build_day(client, DAY, "run")
    build_mart(client, AREA_RANKING, period_of("week", DAY), "run", at(DAY))
    (county,) = Reader(client, published=False, today=TODAY).ranking(CITY, "county", "week", day=DAY)
    assert county.quality_score == 80.0  # (3 * 90 + 1 * 50) / 4


def test_a_rejected_message_alone_touches_its_day(client: Client) -> None:
    _register(client)
    _refuse(client, [_refused(f"{BAD}001")])
    execute(client, plan_days([DAY], at(DAY, 20)), as_of=at(DAY, 20))
    (town,) = Reader(client, published=False, today=TODAY).scorecard(CITY, "town")
    assert (town.area_code, town.messages, town.quarantined, town.score) == (BAD, 0, 1, 0.0)
    assert {mart.name for mart, _ in stale_marts(client, at(DAY, 20))} == set()


# Dates that cannot be read, and dates that cannot be right; all arrive at 9:00 of DAY.
UNDATED = [
    "{",
    "{}",
    '{"reported_at": "soon"}',
    '{"reported_at": 5}',
    '{"reported_at": "03/01/2026 08:00"}',
    '{"reported_at": "1970-01-01T00:00:00Z"}',
    '{"reported_at": "2026-03-05T00:00:00+08:00"}',
]


@pytest.mark.parametrize("payload", UNDATED)
def test_a_message_without_a_day_is_shown_by_source_and_city_and_scored_nowhere(client: Client, payload: str) -> None:
    _register(client)
    insert(client, [_sent("a", GOOD), _sent("b", GOOD, source="wechat")])
    equal = [_refused(f"{GOOD}001", payload, sha256="e" * 64)] * 2
    unknown = _refused("", payload, key=f"{BAD}001", source="")  # the source cannot be read, either
    _refuse(client, [*equal, _refused(f"{BAD}001", payload), _refused(f"{BAD}001", payload, source="hotline"), unknown])
    execute(client, plan_days([DAY], at(DAY, 20)), as_of=at(DAY, 20))
    cards = {row["area_code"]: row for row in client.query("SELECT * FROM scorecard").named_results()}
    assert {
        code: (row["messages"], row["quarantined"], row["undated"], row["score"]) for code, row in cards.items()
    } == {
        CITY: (2, 0, 4, cards[GOOD]["score"]),
        "990001": (2, 0, 0, cards[GOOD]["score"]),
        GOOD: (2, 0, 0, cards[GOOD]["score"]),
        "grid_app": (1, 0, 2, cards[GOOD]["score"]),
        "wechat": (1, 0, 0, cards[GOOD]["score"]),
        "hotline": (0, 0, 1, None),
    }
    for code, row in cards.items():
        behind = client.query(SCORECARD.drill_sql, {"day": DAY, "city": CITY, "area": code}).named_results()
        undated = {message["payload_sha256"] for message in behind if message["part"] == "undated"}
        assert len(undated) == row["undated"], code
    assert {mart.name for mart, _ in stale_marts(client, at(DAY, 20))} == set()
    assert check_marts(client).findings == ()


def test_a_backfill_spoils_no_score_of_the_day_of_its_arrival(client: Client) -> None:
    """2,073 live messages; 1,362 old ones arrive on the same day and their dates cannot be read."""
    _register(client)
    where = {"lon": 121.5, "lat": 29.9, "decided_by": "person", "source": "wechat"}
    insert(client, [_sent(f"r{n}", (GOOD, BAD, BEHIND)[n % 3], **where) for n in range(2073)])
    towns = (GOOD, BAD, BEHIND)
    _refuse(client, [_refused(f"{towns[n % 3]}001", '{"reported_at": "03/01/2026 08:00"}') for n in range(1362)])
    execute(client, plan_days([DAY], at(DAY, 20)), as_of=at(DAY, 20))
    reader = Reader(client, today=TODAY)
    counties = reader.scorecard(CITY, "county", day=DAY)
    assert [(county.score, county.quarantined) for county in counties] == [(100.0, None)] * 2
    sources = {
        row.area_code: (row.score, row.messages, row.undated) for row in reader.scorecard(CITY, "source", day=DAY)
    }
    assert sources == {"grid_app": (None, None, 1362), "wechat": (100.0, 2073, None)}
    assert next(iter(sources)) == "grid_app"  # a source that sends nothing else is listed first


def test_the_newest_day_of_a_level_has_rows_of_this_level(client: Client) -> None:
    """Undated messages alone make a card of the source, and none of a county."""
    _register(client)
    insert(client, [_sent("a", GOOD)])
    later = DAY + timedelta(days=1)
    _refuse(client, [_refused(f"{GOOD}001", "{}", arrived=at(later, 9)) for _ in range(9)])
    execute(client, plan_days([DAY, later], at(later, 20)), as_of=at(later, 20))
    reader = Reader(client, published=False, today=TODAY)
    assert [(row.area_code, row.day) for row in reader.scorecard(CITY, "county")] == [("990001", DAY)]
    assert [(row.area_code, row.day, row.undated) for row in reader.scorecard(CITY, "source")] == [
        ("grid_app", later, 9)
    ]


def test_a_changed_row_is_found(client: Client) -> None:
    insert(client, [_sent("a", GOOD)])
    build_day(client, DAY, "run")
    build_mart(client, SCORECARD, PERIOD, "run", at(DAY))
    assert mart_differences(client, SCORECARD, PERIOD) == 0
    update = "ALTER TABLE mart_scorecard UPDATE warned = 1 WHERE level = 'town'"
    client.command(f"{update} SETTINGS mutations_sync = 1")
    assert mart_differences(client, SCORECARD, PERIOD) == 2  # the stored row and the recomputed one

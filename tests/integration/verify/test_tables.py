"""`verify` against a real ClickHouse: each wrong state, rollup cell and mart row put in is named."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pipelines.marts.rollup import VERSION
from pipelines.services.queries import query_text
from pipelines.verify import VerifyReport
from tests.support.world import DAY, MORNING, World, document, event_row, findings, insert, ledger_row, states


def spoil_state(world: World, **changed: Any) -> None:
    """Write one more state of report R0, whose newest event is at offset 2."""
    newest = world.event(0, 2)
    state = {name: value for name, value in newest.items() if not name.startswith(("kafka_", "topic", "content"))}
    insert(world.client, "report_states", state | {"version": 2**255} | changed)


def test_an_older_state_is_named(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    older = world.event(0, 1)
    spoil_state(world, event_id=older["event_id"], status=older["status"], updated_at=older["updated_at"])
    assert ("reports", "fails", "state is not the newest event") in findings(check())


def test_an_altered_state_is_named(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    spoil_state(world, grid_code="330203001002")
    assert findings(check()) == {("reports", "fails", "state differs from its event")}


def test_a_lost_state_is_named(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    world.client.command("ALTER TABLE report_states DELETE WHERE report_id = 'R1'", settings={"mutations_sync": 2})
    assert ("reports", "fails", "report has events and no state") in findings(check())


def test_wrong_handling_is_named(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    row = {"day": DAY, "source": "grid_app", "report_id": "R0", "first_handled_at": MORNING, "reopened": 0}
    insert(world.client, "report_handling", row)
    assert findings(check()) == {("reports", "fails", "handling differs from the events")}


def test_a_report_on_two_days_is_a_warning(world: World, check: Callable[..., VerifyReport]) -> None:
    world.event(0, 2)["day"] = date(2026, 11, 21)
    world.write()
    report = check()
    assert report.holds
    assert findings(report) == {("reports", "warns", "report is on two days or in two cities")}


def roll_up(world: World, started: timedelta = timedelta(minutes=1)) -> None:
    """Build the day, as if begun `started` from now."""
    world.client.command(f"INSERT INTO rollup_daily {query_text('marts/rollup.sql')}", {"day": DAY})
    activity = world.client.query("SELECT sum(rows) FROM day_activity").result_rows[0][0]
    build = {"day": DAY, "activity_seen": activity, "reports": 4, "started_at": datetime.now(UTC) + started}
    build |= {"due_days": due_days(world), "version": VERSION, "inputs": inputs(world, "rollup")}
    insert(world.client, "rollup_builds", build)


def inputs(world: World, name: str) -> int:
    """The digest of what the rollup or a mart reads beside its days."""
    query = "SELECT sum(digest) FROM build_inputs WHERE name = {name:String}"
    return int(world.client.query(query, {"name": name}).result_rows[0][0])


def due_days(world: World) -> list[date]:
    """The days on which limits of the rolled-up reports fall."""
    return [row[0] for row in world.client.query("SELECT DISTINCT arrayJoin(due.day) FROM rollup_daily").result_rows]


def replace(world: World, table: str, column: str, value: str) -> None:
    """Spoil one column of all rows."""
    select = f"SELECT * REPLACE ({value} AS {column}) FROM {table}"
    world.client.command(f"CREATE TABLE wrong ENGINE = Memory AS {select}")
    world.client.command(f"TRUNCATE TABLE {table}")
    world.client.command(f"INSERT INTO {table} SELECT * FROM wrong")


def test_a_current_rollup_holds(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    assert states(check())["rollup"] == "skipped"
    roll_up(world)
    report = check()
    assert states(report)["rollup"] == "holds"
    assert report.check("rollup").figures == {
        "days_current": 1,
        "days_stale": 0,
        "days_unbuilt": 0,
        "days_unsettled": 0,
    }


@pytest.mark.parametrize(
    "change",
    [
        "on_time = on_time + 1",
        "open_due_at = arrayResize(open_due_at, 0)",
        "due = arrayResize(due, 0)",
        "grid_code = '330203001002'",
    ],
)
def test_a_wrong_rollup_is_named(world: World, check: Callable[..., VerifyReport], change: str) -> None:
    world.write()
    roll_up(world)
    column, _, value = change.partition(" = ")
    replace(world, "rollup_daily", column, value)
    assert ("rollup", "fails", "cell differs from its recomputation") in findings(check())


def test_a_day_built_right_behind_a_push_is_excused(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    roll_up(world, started=timedelta(0))
    world.client.command("TRUNCATE TABLE rollup_daily")
    report = check()
    assert report.holds
    assert report.check("rollup").figures["days_unsettled"] == 1


def test_a_day_touched_since_its_build_is_not_judged(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    roll_up(world)
    world.produce(1, json.dumps(document(20, 0)).encode())
    insert(world.client, "events", event_row(world, document(20, 0), 1, 5))
    insert(world.client, "ledger", ledger_row(world, 1, 5, 5, "after", good=1))
    report = check()
    assert report.holds
    assert report.check("rollup").figures == {
        "days_current": 0,
        "days_stale": 1,
        "days_unbuilt": 0,
        "days_unsettled": 0,
    }


MARTS = ("daily_series", "scorecard", "area_ranking", "rising_types")


def build_marts(world: World) -> None:
    """Roll up, then build each mart's partition of the day."""
    roll_up(world)
    for mart in MARTS:
        period = {"period": "day", "first": DAY, "last": DAY, "as_of": datetime(2026, 11, 21)}
        world.client.command(f"INSERT INTO mart_{mart} {query_text(f'marts/{mart}/build.sql')}", period)
        seen = 1 + (mart == "area_ranking" and DAY in due_days(world))
        build = {"mart": mart, "period": "day", "period_start": DAY, "seen": seen, "inputs": inputs(world, mart)}
        insert(world.client, "mart_builds", build | {"as_of": datetime(2026, 11, 21)})


def test_current_marts_hold(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    assert states(check())["marts"] == "skipped"
    build_marts(world)
    report = check()
    assert (findings(report), states(report)["marts"]) == (set(), "holds")
    assert report.check("marts").figures == {"builds_current": 4, "builds_stale": 0}


WRONG_ROWS = [
    ("area_ranking", "on_time", "on_time + 1"),
    ("area_ranking", "due", "due + 1"),
    ("area_ranking", "closed_by_limit", "closed_by_limit + 1"),
    ("area_ranking", "area_code", "if(level = 'grid', '330203001002', area_code)"),
    ("scorecard", "prompt", "prompt + 1"),
    ("scorecard", "area_code", "if(level = 'source', 'wechat', area_code)"),
    ("daily_series", "event_type", "202"),
    ("rising_types", "previous", "5"),
    ("rising_types", "base_days", "7"),
]


@pytest.mark.parametrize(("mart", "column", "value"), WRONG_ROWS)
def test_a_wrong_mart_is_named(
    world: World, check: Callable[..., VerifyReport], mart: str, column: str, value: str
) -> None:
    world.write()
    build_marts(world)
    replace(world, f"mart_{mart}", column, value)
    (finding,) = check().check("marts").findings
    assert (finding.state, finding.en) == ("fails", "mart differs from its recomputation")
    assert {example["mart"] for example in finding.examples} == {mart}


def test_a_mart_whose_days_were_built_again_is_not_judged(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    build_marts(world)
    replace(world, "mart_daily_series", "reported", "reported + 1")
    build = {"day": DAY, "activity_seen": 0, "started_at": MORNING}
    insert(world.client, "rollup_builds", build)
    report = check()
    assert report.holds
    assert report.check("marts").figures == {"builds_current": 2, "builds_stale": 2}

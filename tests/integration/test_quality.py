"""Expectations on a real ClickHouse: a planted fault is found by its rule on its day, and by no other."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from typer.testing import CliRunner

from infra.cli.app import build as application
from infra.grants import QUALITY
from pipelines.marts.runner import execute, plan_days
from pipelines.quality.checkpoint import Checked, check, suites_of
from pipelines.quality.docs import build
from pipelines.quality.history import latest, rebuilt_days, store
from schemas.expectations import Expectation, Suite
from tests.support.stack import Stack
from tests.support.world import DAY, World, make_world

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()
DAYS = {"events": DAY, "reports": DAY, "rollup_daily": DAY, "quarantine": TODAY, "ledger": TODAY}
SECRET = "和平路三弄的张三丰家里"


@pytest.fixture
def world(stack: Stack) -> World:
    """A small faultless load; nothing is in ClickHouse before `write`."""
    made = make_world(stack.loader, stack.bootstrap, stack.topic)
    stack.loader.command("SYSTEM STOP MERGES events")  # an event_id that is used twice is merged into one row
    for row in made.events:
        row |= {"handler": "H1", "model_version": "m", "kafka_time": row["updated_at"] + timedelta(seconds=2)}
    return made


def _check(stack: Stack, table: str, day: date | None = None) -> Checked:
    target = stack.settings.clickhouse("engineer")
    (checked,) = check(target, stack.engineer, [(suites_of([table])[0], day or DAYS[table])])
    return checked


def _not_passed(checked: Checked) -> dict[str, str]:
    return {result.rule: result.outcome for result in checked.results if result.outcome != "passed"}


def _write(stack: Stack, world: World) -> None:
    world.write()
    execute(stack.loader, plan_days([DAY]))


@pytest.mark.parametrize("table", list(DAYS))
def test_a_faultless_load_of_a_young_city_breaks_no_rule(stack: Stack, world: World, table: str) -> None:
    _write(stack, world)
    checked = _check(stack, table)
    assert checked.rows > 0
    assert _not_passed(checked) == {}


def _events(**changes: Any) -> Callable[[World], None]:
    return lambda world: world.events[0].update(changes)


def _back(world: World) -> None:
    world.event(0, 1)["status"], world.event(0, 2)["status"] = "resolved", "accepted"


def _without_days(world: World) -> None:
    """A live source sends nothing but messages that name no day."""
    row = world.quarantine[0] | {"source": "hotline", "payload": "{}"}
    world.quarantine += [row | {"kafka_offset": 100 + n} for n in range(20)]


PLANTED: list[tuple[str, str, int, Callable[[World], None]]] = [
    ("events", "severity_in_range", 1, _events(severity=9)),
    (
        "events",
        "updated_before_reported",
        1,
        lambda w: w.event(0, 0).update(updated_at=datetime(2026, 11, 19, tzinfo=UTC)),
    ),
    ("events", "text_too_short", 1, _events(text="灯坏")),
    ("events", "grid_in_its_town", 1, _events(town_code="330203002")),
    ("events", "town_known", 1, _events(town_code="999999999")),
    ("events", "county_known", 1, _events(county_code="999999")),
    ("events", "status_known", 1, _events(status="lost")),
    ("events", "location_is_whole", 1, _events(lon=121.5)),
    ("events", "event_id_unique", 1, lambda w: w.event(1, 0).update(event_id=w.event(0, 0)["event_id"])),
    ("events", "steps_plausible", 1, _back),
    ("events", "day_is_local", 15, lambda w: [row.update(day=date(2026, 11, 21)) for row in w.events]),  # type: ignore[list-item, return-value]
    ("quarantine", "reason_is_listed", 1, lambda w: w.quarantine[0].update(reason="why", reasons=["why"])),
    ("quarantine", "sources_name_days", 1, _without_days),
    ("ledger", "range_adds_up", 1, lambda w: w.ranges(0, 5).update(good=9)),
    ("ledger", "ranges_contiguous", 1, lambda w: w.ranges(0, 5).update(first_offset=6, good=2)),
]


@pytest.mark.parametrize(("table", "rule", "count", "plant"), PLANTED, ids=[rule for _, rule, _, _ in PLANTED])
def test_a_planted_fault_is_found_by_its_rule(
    stack: Stack, world: World, table: str, rule: str, count: int, plant: Callable[[World], None]
) -> None:
    plant(world)
    _write(stack, world)
    day = date(2026, 11, 21) if rule == "day_is_local" else None
    results = {result.rule: result for result in _check(stack, table, day).results}
    assert results[rule].outcome == "failed"
    if rule != "day_is_local":
        assert results[rule].unexpected == count
    assert stack.engineer.query(results[rule].sample_query).row_count >= 1


def test_another_day_is_not_blamed(stack: Stack, world: World) -> None:
    world.events[0].update(severity=9)
    _write(stack, world)
    assert _not_passed(_check(stack, "events", date(2026, 11, 19))) == {}


def test_a_rollup_that_does_not_add_up_is_found(stack: Stack, world: World) -> None:
    _write(stack, world)
    spoilt = "handled + 1 AS handled, 999 AS event_type"
    stack.loader.command(f"INSERT INTO rollup_daily SELECT * REPLACE ({spoilt}) FROM rollup_daily LIMIT 1")
    assert _not_passed(_check(stack, "rollup_daily"))["cell_adds_up"] == "failed"


def test_a_metric_that_cannot_be_computed_is_an_error(stack: Stack, world: World) -> None:
    _write(stack, world)
    stack.loader.command("DROP TABLE counties")
    checked = _check(stack, "events")
    assert _not_passed(checked) == {"county_known": "error"}
    (lost,) = (result for result in checked.results if result.rule == "county_known")
    assert (lost.detail, lost.unexpected, lost.grave) == ("ClickHouse 60 UNKNOWN_TABLE", None, False)


def _on_text(kind: str, rule: str, **arguments: Any) -> Expectation:
    return Expectation(kind, {"column": "text", **arguments}, rule, "table", "critical", "o", "文本", "text")


def test_neither_texts_nor_passwords_are_kept(stack: Stack, world: World, tmp_path: Path) -> None:
    """Rules on the text itself, which every row breaks; and one that fails while it quotes the text."""
    for row in world.events:
        row["text"] = SECRET
    _write(stack, world)
    quoting = {"unexpected_rows_query": "SELECT toUInt8(text) FROM {batch}"}
    rules = (
        _on_text("expect_column_values_to_not_be_in_set", "not_that", value_set=["另一句"]),
        _on_text("expect_column_value_lengths_to_be_between", "long", min_value=1000),
        _on_text("expect_column_values_to_be_unique", "once"),
        Expectation("unexpected_rows_expectation", quoting, "number", "table", "critical", "o", "数", "number"),
    )
    target = stack.settings.clickhouse("engineer")
    (checked,) = check(target, stack.engineer, [(Suite("events", "quality_events", rules), DAY)])
    assert [result.outcome for result in checked.results] == ["passed", "failed", "failed", "error"]
    store(stack.loader, checked, "run")
    build(stack.engineer, tmp_path / "site", 7)
    kept = [
        str(stack.engineer.query(f"SELECT * FROM {name}").result_rows)
        for name in ("quality_results", "quality_documents")
    ]
    for text in (*kept, *(path.read_text("utf-8") for path in (tmp_path / "site").iterdir())):
        assert SECRET not in text
        assert target.password not in text


def test_the_site_works_offline_and_forgets_old_days(stack: Stack, world: World, tmp_path: Path) -> None:
    _write(stack, world)
    (tmp_path / "events_2020-01-01.html").write_text("old")
    store(stack.loader, _check(stack, "events"), "run")
    built = build(stack.engineer, tmp_path, 7)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "style.css", f"events_{DAY}.html"}
    assert built.pages == 1
    for page in tmp_path.iterdir():
        text = page.read_text("utf-8")
        assert "http://" not in text and "https://" not in text and "<script" not in text
    assert "网格、镇街、县区、城市应与名录一致" in (tmp_path / f"events_{DAY}.html").read_text("utf-8")


def test_what_analysts_may_paste_queries_on_shows_no_text_and_no_hash(stack: Stack, world: World) -> None:
    world.events[0].update(severity=9)
    _write(stack, world)
    store(stack.loader, _check(stack, "events"), "run")
    (failure,) = latest(stack.engineer, DAY, DAY, "events", only_broken=True)
    assert (failure.rule, failure.outcome, failure.unexpected) == ("severity_in_range", "failed", 1)
    private = {"text", "extra", "reporter_hash", "payload", "message_key"}
    for view in QUALITY:
        columns = {name for name, *_ in stack.engineer.query(f"DESCRIBE TABLE {view}").result_rows}
        assert columns and not columns & private, view


def test_days_are_due_after_they_were_rebuilt(stack: Stack, world: World) -> None:
    _write(stack, world)
    since = datetime.now(UTC) - timedelta(hours=1)
    assert rebuilt_days(stack.loader, since, 10) == [DAY]
    store(stack.loader, _check(stack, "rollup_daily"), "run")
    assert rebuilt_days(stack.loader, since, 10) == []


@pytest.mark.usefixtures("in_environment")
def test_the_command_distinguishes_broken_rules_from_rules_that_it_could_not_compute(
    stack: Stack, world: World
) -> None:
    _write(stack, world)
    runner, app = CliRunner(), application()
    ask = ["quality", "check", "--day", DAY.isoformat(), "--table", "events"]
    assert runner.invoke(app, ask).exit_code == 0
    stack.loader.command("DROP TABLE counties")
    lost = runner.invoke(app, ask)
    assert lost.exit_code == 3
    assert "county_known: 无法计算" in lost.output
    world.events[0].update(severity=9)
    world.write()
    assert runner.invoke(app, ask).exit_code == 1


@pytest.mark.usefixtures("in_environment")
def test_dagster_shows_a_check_for_each_rule(stack: Stack, world: World) -> None:
    from dagster_project.definitions import defs
    from dagster_project.quality import run_config

    world.events[0].update(severity=9)
    _write(stack, world)
    stack.loader.command("DROP TABLE towns")
    job = defs.resolve_job_def("check_quality")
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(run_config=run_config([DAY]), instance=instance, raise_on_error=False)
    evaluations = {
        (item.asset_key.to_user_string(), item.check_name): item for item in done.get_asset_check_evaluations()
    }
    broken = evaluations["events", "severity_in_range"]
    assert (broken.passed, broken.severity, broken.metadata["unexpected"].value) == (
        False,
        dg.AssetCheckSeverity.ERROR,
        1,
    )
    assert "quality_samples" in str(broken.metadata["sample query"].value)
    assert evaluations["events", "status_known"].passed
    assert ("events", "town_known") not in evaluations  # not computed: no finding about the data, and the run fails
    assert not done.success

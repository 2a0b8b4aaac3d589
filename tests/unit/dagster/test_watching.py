"""What the stream's sensor reports, and how often."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest

from dagster_project.resources import Services
from dagster_project.stream import EVERY_SECONDS, KEEPS_UP, Cursor, asset_events, next_cursor, stream_watch
from infra.settings import settings
from pipelines.clock import utc_now
from pipelines.errors import TransientFault
from pipelines.stream.state import StreamState
from pipelines.watch.figures import Lag, LedgerFigures
from pipelines.watch.health import Observation, judge

FIGURES = LedgerFigures(
    batch_id=7, batch_rows=50, batch_age_seconds=1.0, rows_per_second=20.0, good=90, quarantined=8, duplicates=2,
    hour_quarantined=8, hour_rows=100,
)  # fmt: skip


def observation(**fields: Any) -> Observation:
    now = utc_now()
    return replace(Observation(now, StreamState("running", now, 1), alive=True, lag=Lag(), ledger=FIGURES), **fields)


def reported(seen: Observation, before: Cursor) -> list[str]:
    health = judge(seen)
    events = asset_events(seen, health, before, next_cursor(seen, health, before))
    return [f"{type(event).__name__} {event.asset_key.to_user_string()}" for event in events]


def test_progress_is_an_observation_of_what_the_stream_writes() -> None:
    assert reported(observation(lag=Lag({0: 3}, 1.5)), Cursor(offsets=60, quarantined=8)) == [
        "AssetCheckEvaluation events",
        "AssetObservation grid_reports",
        "AssetObservation events",
        "AssetObservation ledger",
        "AssetObservation reports",
    ]


def test_a_rejected_message_shows_on_the_quarantine() -> None:
    assert "AssetObservation quarantine" in reported(observation(), Cursor(offsets=99, quarantined=7))


def test_no_table_of_an_idle_stream_is_reported() -> None:
    idle = reported(observation(), Cursor(offsets=100, quarantined=8))
    assert idle == ["AssetCheckEvaluation events", "AssetObservation grid_reports"]


def evaluation(seen: Observation, before: Cursor) -> tuple[dg.AssetCheckEvaluation, Cursor]:
    """The check's evaluation, when that is all that is reported, and the next cursor."""
    health = judge(seen)
    after = next_cursor(seen, health, before)
    (event,) = asset_events(seen, health, before, after)
    assert isinstance(event, dg.AssetCheckEvaluation)
    return event, after


def test_a_service_that_is_down_fails_the_check_and_nothing_else() -> None:
    seen = observation(lag=None, ledger=None, fault=TransientFault("Kafka does not answer at 127.0.0.1:1"))
    event, after = evaluation(seen, Cursor(offsets=100, quarantined=8))
    assert (event.check_name, event.passed, event.severity) == (KEEPS_UP, False, dg.AssetCheckSeverity.ERROR)
    assert event.description is not None and "Kafka does not answer at 127.0.0.1:1" in event.description
    assert (after.offsets, after.quarantined, after.problems) == (100, 8, ("unreachable",))


def test_many_rejected_messages_are_a_warning() -> None:
    refused = replace(FIGURES, hour_quarantined=80)
    event, after = evaluation(observation(lag=None, ledger=refused), Cursor(offsets=100, quarantined=8))
    assert (event.passed, event.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert after.problems == ("refused",)


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Settings that name a port on which nothing listens, and a home in which no stream ran."""
    monkeypatch.setenv("GRIDSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("GRIDSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("GRIDSTREAM_ENGINEER_PASSWORD", "none")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("nobody_answers")
@pytest.mark.parametrize(
    ("age", "problems", "reports"),
    [
        (0.0, (), True),
        (0.0, ("held",), True),
        (EVERY_SECONDS - 60, ("unreachable",), False),
        (EVERY_SECONDS + 1, ("unreachable",), True),
    ],
)
def test_it_reports_when_the_problems_change_and_else_every_few_minutes(
    age: float, problems: tuple[str, ...], reports: bool
) -> None:
    cursor = msgspec.json.encode(Cursor(time.time() - age, problems)).decode()
    result = stream_watch(dg.build_sensor_context(cursor=cursor, resources={"services": Services()}))
    assert isinstance(result, dg.SensorResult)
    assert bool(result.asset_events) is reports

"""What the stream's sensor reports, and how often."""

import time
from collections.abc import Iterator

import dagster as dg
import msgspec
import pytest

from dagster_project.resources import Services
from dagster_project.stream import EVERY, KEEPS_UP, Cursor, Look, _cursor, _events, stream_watch
from infra.settings import settings
from pipelines.watch.lag import Lag, LedgerFigures

FIGURES = LedgerFigures(
    batch_id=7, batch_rows=50, batch_age_seconds=1.0, rows_per_second=20.0, good=90, quarantined=8, duplicates=2,
    hour_quarantined=8, hour_rows=100,
)  # fmt: skip


def _reported(seen: Look, before: Cursor) -> list[str]:
    events = _events(seen, before, _cursor(seen, before))
    return [f"{type(event).__name__} {event.asset_key.to_user_string()}" for event in events]


def test_progress_is_a_materialization_of_what_the_stream_writes() -> None:
    seen = Look(Lag({0: 3}, 1.5), FIGURES)
    assert _reported(seen, Cursor(offsets=60, quarantined=8)) == [
        "AssetCheckEvaluation events",
        "AssetObservation grid_reports",
        "AssetMaterialization events",
        "AssetMaterialization ledger",
        "AssetMaterialization reports",
    ]


def test_a_rejected_message_shows_on_the_quarantine() -> None:
    assert "AssetMaterialization quarantine" in _reported(Look(Lag(), FIGURES), Cursor(offsets=99, quarantined=7))


def test_an_idle_stream_materializes_nothing() -> None:
    idle = _reported(Look(Lag(), FIGURES), Cursor(offsets=100, quarantined=8))
    assert idle == ["AssetCheckEvaluation events", "AssetObservation grid_reports"]


def test_a_service_that_is_down_fails_the_check_and_nothing_else() -> None:
    seen = Look(problem="Kafka does not answer at 127.0.0.1:1")
    before = Cursor(offsets=100, quarantined=8)
    (evaluation,) = _events(seen, before, after := _cursor(seen, before))
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert (evaluation.check_name, evaluation.passed) == (KEEPS_UP, False)
    assert (after.offsets, after.quarantined) == (100, 8)


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings that name a port on which nothing listens."""
    monkeypatch.setenv("GRIDSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("GRIDSTREAM_ENGINEER_PASSWORD", "none")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("nobody_answers")
@pytest.mark.parametrize(
    ("age", "was_well", "speaks"), [(0.0, True, True), (EVERY - 60, False, False), (EVERY + 1, False, True)]
)
def test_it_speaks_when_the_state_changes_and_else_every_few_minutes(age: float, was_well: bool, speaks: bool) -> None:
    """The state here is "does not keep up", since nobody answers."""
    cursor = msgspec.json.encode(Cursor(time.time() - age, was_well)).decode()
    result = stream_watch(dg.build_sensor_context(cursor=cursor, resources={"services": Services()}))
    assert isinstance(result, dg.SensorResult)
    assert bool(result.asset_events) is speaks

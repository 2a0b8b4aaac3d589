"""Population stability: known values, small counts, and the windows read from events."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.classify.measure.drift import DriftState, Window, judged, measure_drift, psi

BEGAN = date(2026, 3, 1)


def test_known_values() -> None:
    assert psi({0: 50, 1: 50}, {0: 5, 1: 5}) == 0
    # (.6 - .5) ln(.6 / .5) + (.4 - .5) ln(.4 / .5) = .0182322 + .0223144
    assert psi({0: 50, 1: 50}, {0: 60, 1: 40}) == pytest.approx(0.0405465)
    # (.9 - .5) ln 1.8 + (.1 - .5) ln .2 = .2351147 + .6437752
    assert psi({0: 50, 1: 50}, {0: 90, 1: 10}) == pytest.approx(0.8788898)
    assert psi({0: 10}, {0: 5, 1: 5}) == pytest.approx(4.604319, rel=1e-5)  # an empty bin counts as .0001


def window(**types: int) -> Window:
    counts = {int(name[1:]): count for name, count in types.items()}
    return Window(BEGAN, BEGAN, counts, counts)


def test_states_by_threshold() -> None:
    before = window(t1=5000, t2=5000)
    drifts = [judged("v", before, window(t1=share, t2=10_000 - share)) for share in (5200, 6000, 7000, 8500)]
    states = [drift.state for drift in drifts]
    assert states == [DriftState.STEADY, DriftState.STEADY, DriftState.WARN, DriftState.ALARM]


def test_small_counts_raise_no_alarm() -> None:
    drift = judged("v", window(t1=5000, t2=5000), window(t1=1999))
    assert (drift.state, drift.types) == (DriftState.TOO_FEW, None)
    assert judged("v", Window(), Window()).state == DriftState.TOO_FEW


def add(client: Client, day: date, count: int, code: int, confidence: float, version: str = "v") -> None:
    client.command(
        "INSERT INTO events (day, event_id, report_id, event_type, decided_by, confidence, model_version, alternatives)"
        " SELECT {day:Date}, generateUUIDv4(), concat({name:String}, toString(number % ({count:UInt32} / 2))), 999,"
        " 'fallback', {confidence:Float32}, {version:String}, [{code:UInt16}] FROM numbers({count:UInt32})",
        {"day": day, "name": uuid4().hex, "count": count, "code": code, "confidence": confidence, "version": version},
    )


def test_windows_are_the_first_fortnight_and_the_last_week(migrated_database: Client) -> None:
    client, today = migrated_database, BEGAN + timedelta(days=30)
    add(client, BEGAN, 40, 101, 0.95)
    add(client, BEGAN + timedelta(days=13), 20, 102, 1.0)
    add(client, BEGAN + timedelta(days=14), 600, 999, 0.1)  # between the windows
    add(client, today - timedelta(days=7), 10, 101, 0.35)
    add(client, today, 600, 999, 0.1)  # today has not ended
    add(client, today - timedelta(days=1), 600, 999, 0.1, version="other")
    drift = measure_drift(client, "v", today, least=5)
    reference, current = drift.reference, drift.current
    assert (reference.first, reference.last) == (BEGAN, BEGAN + timedelta(days=13))
    # Each report has two messages and is counted once.
    assert (reference.types, reference.confidence) == ({101: 20, 102: 10}, {9: 30})
    assert (current.types, current.confidence) == ({101: 5}, {3: 5})
    assert drift.state == DriftState.ALARM


def test_a_new_model_has_no_past_to_compare_with(migrated_database: Client) -> None:
    add(migrated_database, BEGAN, 4000, 101, 0.9)
    drift = measure_drift(migrated_database, "v", BEGAN + timedelta(days=5), least=5)
    assert (drift.reference.reports, drift.current.reports) == (2000, 0)
    assert drift.state == DriftState.TOO_FEW
    assert measure_drift(migrated_database, "none", BEGAN).state == DriftState.TOO_FEW

"""Simulated days: the same every time, complete, plausible, and never about what has not happened yet."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from pipelines.errors import UserFault
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel, city_model
from pipelines.sources.simulator.plan import Disorder, midnight_ms
from schemas.contract.v1 import Report
from schemas.event_types import event_type, event_types
from tests.support.simulated import FIRST, LAST, backfill


def in_surge(message: Sent) -> bool:
    """Reports of a surge bear its area and type in their id."""
    return message.report_id.removesuffix("-bad").count("-") > 4


@pytest.fixture(scope="module")
def reports(sent: list[Sent]) -> list[Report]:
    return [
        msgspec.json.decode(message.value or b"", type=Report)
        for message in sent
        if not message.kind.startswith("bad:")
    ]


def test_the_same_backfill_sends_the_same_bytes(model: CityModel) -> None:
    def sent_by(model: CityModel) -> list[tuple[str | None, bytes | None]]:
        return [(message.event_id, message.value) for message in backfill(model, FIRST, FIRST, load=0.02).messages()]

    first, second, other = sent_by(model), sent_by(model), sent_by(city_model("330200", seed=8))
    assert first == second
    assert not {name for name, _ in first if name} & {name for name, _ in other}


def test_overlapping_ranges_agree_on_a_day(model: CityModel) -> None:
    """Surges depend on the last day, so the days in common are compared without them."""

    def usual(first: date, last: date) -> set[tuple[str | None, bytes | None]]:
        day = f"-{FIRST + timedelta(1):%Y%m%d}-"
        sent = backfill(model, first, last, load=0.02).messages()
        return {
            (message.event_id, message.value) for message in sent if day in message.report_id and not in_surge(message)
        }

    short, long = usual(FIRST + timedelta(1), LAST), usual(FIRST, LAST + timedelta(1))
    assert short and short < long


def test_nothing_is_sent_before_it_happened(model: CityModel) -> None:
    until = midnight_ms(FIRST, model.timezone) + 11 * 3_600_000
    run = Backfill(model, FIRST, FIRST, until, Disorder(bad=0), load=0.1)
    reports = [msgspec.json.decode(message.value or b"", type=Report) for message in run.messages()]
    assert reports
    assert max(report.updated_at.timestamp() for report in reports) * 1000 < until


def test_event_ids_are_uuids_and_unique(sent: list[Sent]) -> None:
    once = [message.event_id for message in sent if message.event_id and message.kind != "duplicate"]
    assert len(set(once)) == len(once)
    assert {(name[14], name[19]) for name in once} <= {("8", variant) for variant in "89ab"}


def test_duplicates_are_the_same_bytes(sent: list[Sent]) -> None:
    originals = {message.event_id: message.value for message in sent if message.kind in ("good", "late", "correction")}
    resent = [message for message in sent if message.kind == "duplicate"]
    assert len(resent) > 100
    assert all(originals[message.event_id] == message.value for message in resent)


def test_disorder_comes_in_the_shares_asked_for(sent: list[Sent]) -> None:
    """Sends after the last day are cut off, so there are fewer than asked for, not more."""
    kinds = Counter(message.kind.split(":")[0] for message in sent)
    good = kinds["good"] + kinds["late"] + kinds["correction"]
    assert 0.03 < kinds["duplicate"] / good < 0.055
    assert 0.015 < kinds["late"] / good < 0.033
    assert 0.04 < kinds["bad"] / good < 0.06
    assert kinds["correction"] > 0


def test_messages_arrive_late_and_out_of_order(reports: list[Report]) -> None:
    newest: dict[str, Any] = {}
    behind = 0
    for report in reports:
        behind += report.updated_at < newest.get(report.report_id, report.updated_at)
        newest[report.report_id] = max(report.updated_at, newest.get(report.report_id, report.updated_at))
    assert behind > 20


def test_every_report_goes_a_possible_way(reports: list[Report]) -> None:
    after = {
        "reported": {"accepted", "closed", "rejected"},
        "accepted": {"dispatched"},
        "dispatched": {"resolved"},
        "resolved": {"closed", "reopened"},
        "reopened": {"resolved"},
    }
    by_report: dict[str, dict[str, Report]] = {}
    for report in reports:
        by_report.setdefault(report.report_id, {})[report.event_id] = report
    steps = Counter()
    for life in by_report.values():
        ordered = sorted(life.values(), key=lambda report: (report.updated_at, report.status != "reported"))
        steps.update((a.status, b.status) for a, b in zip(ordered, ordered[1:], strict=False))
        assert len({report.reported_at for report in ordered}) == 1
    # A message may be missing where it comes late, after the last day; those are few.
    impossible = sum(count for (a, b), count in steps.items() if b not in after.get(a, set()))
    assert impossible / steps.total() < 0.02


def test_types_follow_the_profile_and_all_occur(sent: list[Sent], model: CityModel) -> None:
    types = Counter({message.report_id: message.type for message in sent if not in_surge(message)}.values())
    assert set(types) == {kind.code for kind in event_types()}
    weights = model.profile.type_weights
    assert types[403] / types.total() == pytest.approx(weights[403] / sum(weights.values()), abs=0.02)


def test_about_nine_in_ten_are_handled_in_time(model: CityModel) -> None:
    """Over forty days, so that slow ones are seen as well; load kept low."""
    run = backfill(model, FIRST - timedelta(40), FIRST, disorder=Disorder(0, 0, 0), load=0.01)
    handled: dict[str, bool] = {}
    for message in run.messages():
        report = msgspec.json.decode(message.value or b"", type=Report)
        if report.status in ("resolved", "closed") and message.report_id not in handled:
            due = report.reported_at + timedelta(hours=event_type(message.type).limit_hours)
            handled[message.report_id] = report.updated_at <= due
    assert 0.86 < np.mean(list(handled.values())) < 0.95


def test_days_follow_hours_and_weekdays(model: CityModel) -> None:
    run = backfill(model, date(2026, 6, 1), date(2026, 6, 7), disorder=Disorder(0, 0, 0), load=0.05)
    usual = [message.value for message in run.messages() if message.status == "reported" and not in_surge(message)]
    first = [msgspec.json.decode(value or b"", type=Report) for value in usual]
    hours, days = (
        Counter(r.reported_at.hour for r in first),
        Counter(r.reported_at.weekday() for r in first),
    )
    assert hours[9] > 5 * hours[3]
    assert days[1] > 1.5 * days[6]


def test_surges_rise_and_are_reported(model: CityModel) -> None:
    run = backfill(model, FIRST, LAST, disorder=Disorder(0, 0, 0), load=0.01)
    assert [len(surge.area) for surge in run.surges] == [12, 12, 12, 12, 9, 9, 6]
    born = Counter(message.report_id.rsplit("-", 1)[0] for message in run.messages() if message.status == "reported")
    for surge in run.surges:
        name = f"{surge.area}-{model.codes[surge.kind]}"
        days = [born[f"sim-7-330200-{FIRST + timedelta(n):%Y%m%d}-{name}"] for n in range(3)]
        assert days == list(surge.counts)


def test_most_reports_bear_their_own_code(sent: list[Sent]) -> None:
    good = [message for message in sent if message.kind == "good"]
    assert 0.66 < np.mean([message.source_type is not None for message in good]) < 0.74
    coded = [message for message in good if message.source_type]
    assert 0.92 < np.mean([message.source_type == f"sim/{message.type}" for message in coded]) < 0.99


@pytest.mark.parametrize("city", ["440310", "840617"])
def test_other_cities_can_be_simulated(city: str) -> None:
    model = city_model(city, seed=1)
    run = backfill(model, FIRST, FIRST, disorder=Disorder(bad=0))
    reports = [msgspec.json.decode(message.value or b"", type=Report) for message in run.messages()]
    assert reports
    assert {report.grid_code[:6] for report in reports} == {city}


def test_an_unknown_city_is_refused() -> None:
    with pytest.raises(UserFault, match="known: 330200, 440310, 840617"):
        city_model("110000")

"""The live feed: in real time, at its rate, about now, under ids of its own."""

from datetime import UTC, datetime
from threading import Event

import msgspec

from pipelines.sources.simulator.live import Live
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel
from pipelines.sources.simulator.plan import Disorder
from schemas.contract.v1 import Report


def test_the_rate_is_kept_and_events_happen_now(model: CityModel) -> None:
    live, got = Live(model, 400, 0.75, Event(), Disorder(bad=0)), []
    for tick in live.ticks():
        now = datetime.now(UTC)
        reports = [msgspec.json.decode(message.value or b"", type=Report) for message in tick]
        assert all(report.reported_at <= report.updated_at <= now for report in reports)
        got += [(now - report.updated_at).total_seconds() for report in reports]
    assert len(got) == 300
    assert sorted(got)[len(got) // 2] < 10


def test_ids_are_its_own(model: CityModel, sent: list[Sent]) -> None:
    runs = [[message for tick in Live(model, 800, 0.25, Event()).ticks() for message in tick] for _ in range(2)]
    names = [
        {message.report_id for message in run} | {message.event_id for message in run if message.event_id}
        for run in (*runs, sent)
    ]
    assert all(names)
    assert not names[0] & names[1] and not names[0] & names[2] and not names[1] & names[2]


def test_it_stops_when_asked(model: CityModel) -> None:
    stop = Event()
    ticks = 0
    for _ in Live(model, 100, None, stop).ticks():
        ticks += 1
        if ticks == 2:
            stop.set()
    assert ticks == 2


def test_reports_go_on_during_the_run(model: CityModel) -> None:
    """Resends in the same second come by themselves: a waiting message is sent when its time has come."""
    run = [message for tick in Live(model, 1600, 0.75, Event(), Disorder(duplicate=0.3)).ticks() for message in tick]
    ids = [message.event_id for message in run if message.event_id]
    assert len(ids) - len(set(ids)) > 3

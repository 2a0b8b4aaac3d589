"""A live feed: messages about events that happen now, at a given rate, until it is stopped."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event

import numpy as np

from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel, key_of, seeded
from pipelines.sources.simulator.plan import ROW, Disorder, Rows, births, disturb, lives, now_ms
from pipelines.sources.simulator.render import Renderer
from pipelines.sources.simulator.texts import texts

TICK = 0.25  # seconds
_SOON_MS = 600_000  # later steps of a report further away than this are left out, to bound memory
_TIMES = ("sent", "updated", "reported", "due")


@dataclass
class Live:
    """A city at `rate` messages per second for `seconds` (None: until `stop` is set).

    The feed begins in the middle of a running city: each report enters at a random step of its life, so most were
    reported earlier, and its later steps follow at their time. Ids contain the start of the run, so they differ from
    those of a backfill or of another run.
    """

    model: CityModel
    rate: float
    seconds: float | None
    stop: Event
    disorder: Disorder = Disorder()

    def __post_init__(self) -> None:
        self._renderer = Renderer(self.model, texts(self.model.seed))
        self._name = ("live", self.model.seed, self.model.code, time.time_ns())
        self._rng, self._waiting, self._ticks = seeded(*self._name), np.zeros(0, ROW), 0

    def ticks(self) -> Iterator[list[Sent]]:
        """The messages of each quarter of a second, in real time; after a delay the next tick catches up."""
        start, given, passed = time.monotonic(), 0, 0.0
        end = math.inf if self.seconds is None else self.seconds
        while not self.stop.is_set() and passed < end:
            self.stop.wait(max(0.0, passed + TICK - (time.monotonic() - start)))
            passed = min(time.monotonic() - start, end)
            due = round(self.rate * passed) - given
            given += due
            if due:
                yield list(self._renderer.render(self._next(due)))

    def _next(self, count: int) -> Rows:
        now = now_ms()
        is_due = self._waiting["sent"] <= now
        due, self._waiting = (
            self._waiting[is_due][:count],
            np.concatenate([self._waiting[is_due][count:], self._waiting[~is_due]]),
        )
        fresh = self._fresh(count - len(due), now)
        self._waiting = np.concatenate([self._waiting, fresh[(fresh["sent"] > now) & (fresh["sent"] < now + _SOON_MS)]])
        return np.concatenate([due, fresh[fresh["sent"] <= now]])[:count]

    def _fresh(self, count: int, now: int) -> Rows:
        """Reports that enter now: shifted in time so that one of their messages is sent at `now`."""
        model, rng = self.model, self._rng
        if count <= 0:
            return np.zeros(0, ROW)
        key = key_of(*self._name, self._ticks)
        rows = lives(model, rng, births(model, rng, np.zeros(count, np.int64)), key)
        rows = disturb(rows, rng, self.disorder, key)
        rows["origin"] = len(self._renderer.prefixes)
        self._renderer.prefixes.append(f"live-{model.code}-{self._name[3]}-{self._ticks}-")
        self._ticks += 1
        pick = rng.random(len(rows))
        order = np.lexsort((pick, rows["number"]))
        entering = order[np.searchsorted(rows["number"][order], np.arange(count))]  # a message of each report
        shift = now - rows["sent"][entering]
        has_due = rows["due"] != 0
        for name in _TIMES:
            rows[name] += shift[rows["number"]]
        rows["due"] *= has_due
        return rows[rows["sent"] >= now]

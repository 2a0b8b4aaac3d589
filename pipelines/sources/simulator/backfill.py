"""Past days, as fast as possible, in the order in which the messages were sent."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel, key_of, seeded
from pipelines.sources.simulator.plan import (
    ROW,
    Disorder,
    Rows,
    Surge,
    births,
    day_count,
    day_start_times,
    disturb,
    lives,
    midnight_ms,
    surges,
)
from pipelines.sources.simulator.render import Renderer
from pipelines.sources.simulator.texts import texts


@dataclass
class Backfill:
    """Days `first`..`last` of a city.

    until_ms: later messages are left out, because they have not happened yet. load: a factor of the usual 1.3 reports
    per grid and day.
    """

    model: CityModel
    first: date
    last: date
    until_ms: int
    disorder: Disorder = Disorder()
    load: float = 1.0
    surges: tuple[Surge, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.surges = surges(self.model, self.last)
        self._renderer = Renderer(self.model, texts(self.model.seed))

    def messages(self) -> Iterator[Sent]:
        """All messages, in sending order."""
        for rows in self._ready():
            yield from self._renderer.render(rows)

    def _ready(self) -> Iterator[Rows]:
        waiting = np.zeros(0, ROW)
        for number in range((self.last - self.first).days + 1):
            day = self.first + timedelta(number)
            waiting = np.concatenate([waiting, *self._born(day)])
            end = min(midnight_ms(day + timedelta(1), self.model.timezone), self.until_ms)
            is_due = waiting["sent"] < end  # reports of later days are also sent later
            due, waiting = waiting[is_due], waiting[~is_due]
            yield due[np.lexsort((due["hi"], due["sent"]))]

    def _born(self, day: date) -> Iterator[Rows]:
        yield self._lives(day, None)
        for surge in self.surges:
            if surge.on(day):
                yield self._lives(day, surge)

    def _lives(self, day: date, surge: Surge | None) -> Rows:
        model = self.model
        name = (surge.area, int(model.codes[surge.kind])) if surge else ()
        parts = (model.seed, model.code, day.isoformat(), *name)
        rng, key = seeded(*parts), key_of(*parts)
        per_grid = model.profile.per_grid_and_day * self.load
        number = surge.on(day) if surge else day_count(model, day, per_grid, rng)
        first = births(model, rng, day_start_times(model, day, number, rng), surge)
        rows = disturb(lives(model, rng, first, key), rng, self.disorder, key)
        rows["origin"] = len(self._renderer.prefixes)
        prefix = ("sim", str(model.seed), model.code, f"{day:%Y%m%d}", *map(str, name), "")
        self._renderer.prefixes.append("-".join(prefix))
        return rows

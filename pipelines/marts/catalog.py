"""Which marts there are, which periods each has, and which days of the rollup a period is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pipelines.marts.swap import Partition

PeriodKind = Literal["day", "week", "month"]
KINDS: tuple[PeriodKind, ...] = ("day", "week", "month")


@dataclass(frozen=True, order=True)
class Period:
    """A day, a week from Monday (ISO 8601) or a calendar month; `first` and `last` belong to it."""

    kind: PeriodKind
    first: date
    last: date


def period_of(kind: PeriodKind, day: date) -> Period:
    """The period of this kind that `day` lies in."""
    if kind == "day":
        return Period(kind, day, day)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return Period(kind, monday, monday + timedelta(days=6))
    first = day.replace(day=1)
    return Period(kind, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


@dataclass(frozen=True)
class Mart:
    """A mart in `mart_<name>`, built by `pipelines/marts/<name>.sql`.

    `source`: the mart it reads, by the day; the rollup when empty. `lookback`: days before a period
    that go into it. `ages`: figures change by time alone. `reads_messages`: it reads what is loaded, besides the builds
    that it follows, so a day that was touched since is not to be compared with it.
    """

    name: str
    kinds: tuple[PeriodKind, ...] = ("day",)
    source: str = ""
    lookback: int = 0
    ages: bool = False
    reads_messages: bool = False

    @property
    def table(self) -> str:
        return f"mart_{self.name}"

    def partition(self, period: Period) -> Partition:
        return (period.kind, period.first) if len(self.kinds) > 1 else period.first

    def first_day(self, period: Period) -> date:
        """The earliest day that goes into `period`; the latest is `period.last`."""
        return period.first - timedelta(days=self.lookback)

    def touched(self, day: date, today: date) -> Iterator[Period]:
        """The periods that `day` goes into, none that begins after `today` unless `day` lies in it."""
        for kind in self.kinds:
            yield period_of(kind, day)
        for later in range(1, min(self.lookback, (today - day).days) + 1):
            yield period_of("day", day + timedelta(days=later))


SCORECARD = Mart("scorecard", reads_messages=True)
# Reads the rollup as well, which each scorecard is built after: so it has always seen what its scorecards saw.
AREA_RANKING = Mart("area_ranking", KINDS, source=SCORECARD.name, ages=True)
DAILY_SERIES = Mart("daily_series")
RISING_TYPES = Mart("rising_types", source=DAILY_SERIES.name, lookback=34)
# In the order in which they have to be built.
MARTS: tuple[Mart, ...] = (DAILY_SERIES, SCORECARD, AREA_RANKING, RISING_TYPES)

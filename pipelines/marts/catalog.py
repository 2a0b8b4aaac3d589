"""The marts, their periods, and the days of the rollup that a period is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pipelines.marts.swap import Partition
from pipelines.services.queries import query_text

PeriodKind = Literal["day", "week", "month"]
KINDS: tuple[PeriodKind, ...] = ("day", "week", "month")


@dataclass(frozen=True, order=True)
class Period:
    """A day, a week from Monday (ISO 8601) or a calendar month; `first` and `last` belong to it."""

    kind: PeriodKind
    first: date
    last: date


def period_of(kind: PeriodKind, day: date) -> Period:
    """The period of this kind that contains `day`."""
    if kind == "day":
        return Period(kind, day, day)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return Period(kind, monday, monday + timedelta(days=6))
    first = day.replace(day=1)
    return Period(kind, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


@dataclass(frozen=True)
class Mart:
    """A mart: the table `mart_<name>`, and its queries in `pipelines/marts/<name>/`.

    source: the mart that it reads by day; the rollup if empty. lookback: days before a period that the period also
    reads. ages: whether figures change by time alone. reads_messages: whether it also reads messages as they are
    loaded, so that a period with a day touched since its build must not be compared with its recomputation.
    reads_due: whether it also reads the reports whose limit falls into the period, from whatever day.
    """

    name: str
    kinds: tuple[PeriodKind, ...] = ("day",)
    source: str = ""
    lookback: int = 0
    ages: bool = False
    reads_messages: bool = False
    reads_due: bool = False

    @property
    def table(self) -> str:
        return f"mart_{self.name}"

    @property
    def build_sql(self) -> str:
        """The query that computes a partition."""
        return query_text(f"marts/{self.name}/build.sql")

    @property
    def drill_sql(self) -> str:
        """The query that lists the reports, or messages, behind a row."""
        return query_text(f"marts/{self.name}/drill.sql")

    def partition(self, period: Period) -> Partition:
        return (period.kind, period.first) if len(self.kinds) > 1 else period.first

    def first_day(self, period: Period) -> date:
        """The earliest day that `period` reads; the latest is `period.last`."""
        return period.first - timedelta(days=self.lookback)

    def touched(self, day: date, today: date) -> Iterator[Period]:
        """The periods that read `day`. Those that begin after both `day` and `today` are left out."""
        for kind in self.kinds:
            yield period_of(kind, day)
        for later in range(1, min(self.lookback, (today - day).days) + 1):
            yield period_of("day", day + timedelta(days=later))


SCORECARD = Mart("scorecard", reads_messages=True)
# Also reads the rollup. A scorecard is built after its day: a ranking that saw the scorecards saw the days.
AREA_RANKING = Mart("area_ranking", KINDS, source=SCORECARD.name, ages=True, reads_due=True)
DAILY_SERIES = Mart("daily_series")
RISING_TYPES = Mart("rising_types", source=DAILY_SERIES.name, lookback=34)
# In the order in which they have to be built.
MARTS: tuple[Mart, ...] = (DAILY_SERIES, SCORECARD, AREA_RANKING, RISING_TYPES)

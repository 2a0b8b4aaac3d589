"""Keeps the rollup and the marts equal to what `reports` gives, by rebuilding what was touched.

Figures are never incremented: a stale day or period is recomputed and swapped in. Late messages, duplicates,
corrections, a crash halfway and two runs at once therefore lead to the same figures.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from time import monotonic
from typing import NamedTuple, TypeVar

from clickhouse_connect.driver.client import Client

from pipelines.clock import now
from pipelines.errors import UserFault
from pipelines.marts.build import MartBuild, build_mart
from pipelines.marts.catalog import MARTS, Mart, Period
from pipelines.marts.rollup import SETTLE, DayBuild, build_day, stale_days
from pipelines.marts.swap import sweep

# Open reports become overdue without a message, so periods that end within this time are rebuilt once a day.
AGING = timedelta(days=31)

_DUE = "due"

T = TypeVar("T")
R = TypeVar("R")
OnStep = Callable[[int], None]

_BUILDS = """
SELECT '' AS source, day, count() FROM rollup_builds GROUP BY day
UNION ALL
SELECT 'due', arrayJoin(due_days) AS day, count() FROM rollup_builds GROUP BY day
UNION ALL
SELECT mart, period_start, count() FROM mart_builds WHERE mart IN {sources:Array(String)} GROUP BY mart, period_start"""
_SEEN = """
SELECT mart, period, period_start, argMax(seen, built_at), argMax(inputs, built_at), argMax(as_of, built_at)
FROM mart_builds
GROUP BY mart, period, period_start"""
_INPUTS = "SELECT name, digest FROM build_inputs"


@dataclass(frozen=True)
class Plan:
    """Partitions to build: days of the rollup first, then periods of the marts."""

    days: tuple[date, ...] = ()
    marts: tuple[tuple[Mart, Period], ...] = ()

    @property
    def steps(self) -> int:
        return len(self.days) + len(self.marts)


@dataclass(frozen=True)
class BuildResult:
    """The builds of a run, in order. `swept`: private tables of crashed runs that were dropped."""

    run_id: str
    days: tuple[DayBuild, ...] = ()
    marts: tuple[MartBuild, ...] = ()
    swept: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def superseded(self) -> int:
        """The number of builds that gave way to a later build of the same partition."""
        return sum(day.superseded for day in self.days) + sum(mart.superseded for mart in self.marts)


class _Seen(NamedTuple):
    """What the newest build of a period had seen: builds of its days, digest of what else it read, time."""

    builds: int
    inputs: int
    as_of: datetime


@dataclass(frozen=True)
class _BuildHistory:
    """What was built so far.

    builds: the number of builds of each day by source: a mart, or "" for the rollup; as "due" the number of builds of
    days with reports that are due on that day. seen: by mart, kind and first day of a period. inputs: by mart that
    reads more than its days (the registry of areas, when the load began), the digest of what it would read now.
    """

    builds: dict[str, Counter[date]]
    seen: dict[tuple[str, str, date], _Seen]
    inputs: dict[str, int]

    def stale_periods(self, mart: Mart, as_of: datetime) -> list[Period]:
        days = self.builds[""].keys()
        periods = {period for day in days for period in mart.touched(day, as_of.date())}
        return sorted(period for period in periods if self._is_stale(mart, period, as_of))

    def will_build(self, mart: Mart, periods: Iterable[Period]) -> None:
        """Counts builds that are about to happen, for the marts that read this mart."""
        if mart.name in self.builds:
            self.builds[mart.name].update(period.first for period in periods)

    def _is_stale(self, mart: Mart, period: Period, as_of: datetime) -> bool:
        newest = self.seen.get((mart.name, period.kind, period.first))
        if newest is None:
            return True
        if newest.inputs != self.inputs.get(mart.name, 0):
            return True
        aged = mart.ages and period.last >= as_of.date() - AGING and newest.as_of.date() < as_of.date()
        sources = (mart.source, _DUE) if mart.reads_due else (mart.source,)
        days = _days(mart.first_day(period), period.last)
        return aged or newest.builds != sum(self.builds[source][day] for source in sources for day in days)


def days_between(first: date, last: date) -> list[date]:
    """All days from `first` to `last`, both included. Raises UserFault if there are none."""
    if first > last:
        raise UserFault(f"第一天 {first} 晚于最后一天 {last} the first day is after the last")
    return _days(first, last)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def plan_days(days: Iterable[date], as_of: datetime | None = None) -> Plan:
    """Rebuild these days, touched or not, and every period that they belong to."""
    chosen = tuple(sorted(set(days)))
    today = (as_of or now()).date()
    touched = ((mart, period) for mart in MARTS for day in chosen for period in mart.touched(day, today))
    return Plan(chosen, _in_build_order(touched))


def plan_stale(client: Client, as_of: datetime | None = None, settle: float = SETTLE, paced: bool = False) -> Plan:
    """Rebuild the days touched since their last build, and every period that is older than its days.

    settle: seconds, and paced: days older than a week at most once an hour; see `stale_days`.
    """
    moment = as_of or now()
    touched = plan_days(stale_days(client, settle, moment.date() if paced else None), moment)
    return Plan(touched.days, _in_build_order(chain(touched.marts, stale_marts(client, moment))))


def plan_mart(client: Client, mart: Mart, as_of: datetime | None = None) -> Plan:
    """Rebuild the stale periods of one mart, and no days."""
    return Plan(marts=tuple(pair for pair in stale_marts(client, as_of) if pair[0] == mart))


def stale_marts(client: Client, as_of: datetime | None = None) -> Iterator[tuple[Mart, Period]]:
    """Periods built before the newest build of one of their days, or with other inputs (the registry of areas),
    or whose open reports have aged.

    In the order in which they have to be built: a mart that reads another is stale if the other is.
    """
    moment = as_of or now()
    history = _build_history(client)
    for mart in MARTS:
        periods = history.stale_periods(mart, moment)
        history.will_build(mart, periods)
        yield from ((mart, period) for period in periods)


def execute(
    client: Client, plan: Plan, progress: OnStep | None = None, as_of: datetime | None = None, run_id: str = ""
) -> BuildResult:
    """Builds the partitions of `plan`, days first; calls `progress(1)` after each.

    If `plan` has both, periods in which reports of these days are due are built, too: which they are is known only now.

    as_of: the reference time for what is overdue, now by default. Errors of ClickHouse are raised as they come: what
    was built until then remains, and the rest remains stale.
    """
    started, run, moment = monotonic(), run_id or uuid.uuid4().hex, as_of or now()
    swept = tuple(sweep(client))
    days = tuple(_with_progress(plan.days, lambda day: build_day(client, day, run), progress))
    marts = tuple(_with_progress(plan.marts, lambda pair: build_mart(client, *pair, run, moment), progress))
    due = {day for build in days for day in build.due_days} if plan.marts else set()
    also = [build_mart(client, *pair, run, moment) for pair in _stale_in(client, due, moment)]
    return BuildResult(run, days, (*marts, *also), swept, monotonic() - started)


def _stale_in(client: Client, due: Set[date], moment: datetime) -> list[tuple[Mart, Period]]:
    """The stale periods of marts about due reports that contain one of these days."""
    if not due:
        return []
    stale = [pair for pair in stale_marts(client, moment) if pair[0].reads_due]
    return [(mart, period) for mart, period in stale if any(period.first <= day <= period.last for day in due)]


def _with_progress(items: Iterable[T], build: Callable[[T], R], progress: OnStep | None) -> Iterator[R]:
    for item in items:
        yield build(item)
        if progress:
            progress(1)


def _build_history(client: Client) -> _BuildHistory:
    builds: dict[str, Counter[date]] = {source: Counter() for source in (_DUE, *(mart.source for mart in MARTS))}
    for source, day, count in client.query(_BUILDS, {"sources": [mart for mart in builds if mart]}).result_rows:
        builds[source][day] = int(count)
    rows = client.query(_SEEN, query_tz="Asia/Shanghai").result_rows
    seen = {(mart, kind, first): _Seen(*newest) for mart, kind, first, *newest in rows}
    inputs = {name: int(digest) for name, digest in client.query(_INPUTS).result_rows}
    return _BuildHistory(builds, seen, inputs)


def _in_build_order(pairs: Iterable[tuple[Mart, Period]]) -> tuple[tuple[Mart, Period], ...]:
    return tuple(sorted(set(pairs), key=lambda pair: (MARTS.index(pair[0]), pair[1])))

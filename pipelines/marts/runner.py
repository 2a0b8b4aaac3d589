"""Keeps the rollup and the marts equal to what `reports` says, by rebuilding what was touched.

Nothing is ever added to a figure: a stale day or period is recomputed and swapped in. So late
messages, duplicates, corrections, a crash halfway and two runs at once leave the same figures.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from time import monotonic
from typing import TypeVar

from clickhouse_connect.driver.client import Client

from pipelines.clock import now
from pipelines.errors import UserFault
from pipelines.marts.build import MartBuild, build_mart
from pipelines.marts.catalog import MARTS, Mart, Period
from pipelines.marts.rollup import SETTLE, DayBuild, build_day, stale_days
from pipelines.marts.swap import sweep

# Open reports fall due without any message, so the latest periods are rebuilt once a day.
AGING = timedelta(days=31)

T = TypeVar("T")
R = TypeVar("R")
OnStep = Callable[[int], None]

_BUILDS = """
SELECT '' AS source, day, count() FROM rollup_builds GROUP BY day
UNION ALL
SELECT mart, period_start, count() FROM mart_builds WHERE mart IN {sources:Array(String)} GROUP BY mart, period_start"""
_SEEN = """
SELECT mart, period, period_start, argMax(seen, built_at), argMax(as_of, built_at) FROM mart_builds
GROUP BY mart, period, period_start"""


@dataclass(frozen=True)
class Plan:
    """What is to be built: days of the rollup first, then partitions of the marts."""

    days: tuple[date, ...] = ()
    marts: tuple[tuple[Mart, Period], ...] = ()

    @property
    def steps(self) -> int:
        return len(self.days) + len(self.marts)


@dataclass(frozen=True)
class BuildResult:
    """What a run has built, in order. `swept`: private tables of crashed runs that were dropped."""

    run_id: str
    days: tuple[DayBuild, ...] = ()
    marts: tuple[MartBuild, ...] = ()
    swept: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def superseded(self) -> int:
        """Builds that gave way to a later one of the same partition."""
        return sum(day.superseded for day in self.days) + sum(mart.superseded for mart in self.marts)


@dataclass(frozen=True)
class _State:
    """Builds of each day by source (a mart, or "" for the rollup); per mart period how many of them
    its newest build had seen, and as of when."""

    builds: dict[str, Counter[date]]
    seen: dict[tuple[str, str, date], tuple[int, datetime]]

    def stale(self, mart: Mart, as_of: datetime) -> list[Period]:
        days = self.builds[""].keys()
        periods = {period for day in days for period in mart.touched(day, as_of.date())}
        return sorted(period for period in periods if self._is_stale(mart, period, as_of))

    def will_build(self, mart: Mart, periods: Iterable[Period]) -> None:
        """Count builds that are about to happen, for the marts that read this one."""
        if mart.name in self.builds:
            self.builds[mart.name].update(period.first for period in periods)

    def _is_stale(self, mart: Mart, period: Period, as_of: datetime) -> bool:
        known = self.seen.get((mart.name, period.kind, period.first))
        if known is None:
            return True
        aged = mart.ages and period.last >= as_of.date() - AGING and known[1].date() < as_of.date()
        return aged or known[0] != self._builds_between(mart.source, mart.first_day(period), period.last)

    def _builds_between(self, source: str, first: date, last: date) -> int:
        return sum(self.builds[source][first + timedelta(days=n)] for n in range((last - first).days + 1))


def days_between(first: date, last: date) -> list[date]:
    """All days from `first` to `last`, both included. Raises UserFault when there are none."""
    if first > last:
        raise UserFault(f"the first day, {first}, lies after the last, {last}")
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def plan_days(days: Iterable[date], as_of: datetime | None = None) -> Plan:
    """Rebuild these days, touched or not, and every period they go into."""
    chosen = tuple(sorted(set(days)))
    today = (as_of or now()).date()
    touched = ((mart, period) for mart in MARTS for day in chosen for period in mart.touched(day, today))
    return Plan(chosen, _in_order(touched))


def plan_stale(client: Client, as_of: datetime | None = None, settle: float = SETTLE, paced: bool = False) -> Plan:
    """Rebuild the days touched since their last build, and every period that lags behind its days.

    paced: days older than a week at most once an hour; see `stale_days`.
    """
    moment = as_of or now()
    touched = plan_days(stale_days(client, settle, moment.date() if paced else None), moment)
    return Plan(touched.days, _in_order(chain(touched.marts, stale_marts(client, moment))))


def plan_mart(client: Client, mart: Mart, as_of: datetime | None = None) -> Plan:
    """Rebuild the periods of one mart that lag behind their days; days are left alone."""
    return Plan(marts=tuple(pair for pair in stale_marts(client, as_of) if pair[0] == mart))


def stale_marts(client: Client, as_of: datetime | None = None) -> Iterator[tuple[Mart, Period]]:
    """Periods built before the newest build of one of their days, or whose open reports have aged."""
    moment = as_of or now()
    state = _state(client)
    for mart in MARTS:
        periods = state.stale(mart, moment)
        state.will_build(mart, periods)
        yield from ((mart, period) for period in periods)


def execute(
    client: Client, plan: Plan, progress: OnStep | None = None, as_of: datetime | None = None, run_id: str = ""
) -> BuildResult:
    """Build what `plan` names, days first; `progress(1)` after each step."""
    started, run, moment = monotonic(), run_id or uuid.uuid4().hex, as_of or now()
    swept = tuple(sweep(client))
    days = tuple(_each(plan.days, lambda day: build_day(client, day, run), progress))
    marts = tuple(_each(plan.marts, lambda pair: build_mart(client, *pair, run, moment), progress))
    return BuildResult(run, days, marts, swept, monotonic() - started)


def rebuild_days(
    client: Client,
    days: Iterable[date],
    progress: OnStep | None = None,
    as_of: datetime | None = None,
    run_id: str = "",
) -> BuildResult:
    """`plan_days`, then `execute`."""
    return execute(client, plan_days(days, as_of), progress, as_of, run_id)


def rebuild_stale(
    client: Client,
    progress: OnStep | None = None,
    as_of: datetime | None = None,
    run_id: str = "",
    settle: float = SETTLE,
) -> BuildResult:
    """`plan_stale`, then `execute`; does nothing when all figures are up to date.

    Raises whatever ClickHouse raises; what was built until then stays, and the rest stays stale.
    """
    return execute(client, plan_stale(client, as_of, settle), progress, as_of, run_id)


def build_marts(
    client: Client, progress: OnStep | None = None, as_of: datetime | None = None, run_id: str = ""
) -> BuildResult:
    """Only the marts that lag behind the rollup; days are left alone."""
    return execute(client, Plan(marts=_in_order(stale_marts(client, as_of))), progress, as_of, run_id)


def _each(items: Iterable[T], work: Callable[[T], R], progress: OnStep | None) -> Iterator[R]:
    for item in items:
        yield work(item)
        if progress:
            progress(1)


def _state(client: Client) -> _State:
    builds: dict[str, Counter[date]] = {mart.source: Counter() for mart in MARTS}
    for source, day, count in client.query(_BUILDS, {"sources": [mart for mart in builds if mart]}).result_rows:
        builds[source][day] = int(count)
    seen = client.query(_SEEN, query_tz="Asia/Shanghai").result_rows
    return _State(builds, {(mart, kind, first): (int(count), as_of) for mart, kind, first, count, as_of in seen})


def _in_order(pairs: Iterable[tuple[Mart, Period]]) -> tuple[tuple[Mart, Period], ...]:
    return tuple(sorted(set(pairs), key=lambda pair: (MARTS.index(pair[0]), pair[1])))

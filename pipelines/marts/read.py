"""Reads the marts: the ranking of a city in a period, the rising event types of an area, the scorecards.

Readers other than engineers see the published views, in which counts below 5 are None.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from clickhouse_connect.driver.client import Client

from pipelines.clock import today
from pipelines.marts.catalog import PeriodKind
from pipelines.services.queries import query_text
from schemas.registry import city as registered_city

Level = Literal["county", "town", "grid"]
RankBy = Literal["count", "on_time", "per_1000"]
ScoredLevel = Literal["city", "source", "county", "town"]

# Ranks of an area with a lower quality score are unreliable, and are marked where they are shown.
DOUBTFUL_BELOW = 80.0

_LATEST = date(1970, 1, 1)  # as `day` of a read.sql: the newest day or period


@dataclass(frozen=True)
class RankedArea:
    """A row of a ranking; equal values share a rank. Rates are 0..1. None: unknown, or too small to show.

    due, closed_by_limit and their ratio on_time_rate are about the reports whose limit fell into the period, open ones
    included; the other figures about those reported in it. quality_score: 0..100, how well
    the area reports. It does not change the rank, but says how far to trust it.
    days_complete: days of the period that are over in the city's time zone.
    """

    rank: int | None
    area_code: str
    area_zh: str
    area_en: str
    parent_code: str
    parent_zh: str
    parent_en: str
    period_start: date
    period_end: date
    reported: int | None
    handled: int | None
    due: int | None
    closed_by_limit: int | None
    on_time_rate: float | None
    reopened: int | None
    rejected: int | None
    overdue_open: int | None
    satisfaction_avg: float | None
    median_handling_hours: float | None
    per_1000_households: float | None
    quality_score: float | None
    as_of: datetime
    days_complete: int

    @property
    def days(self) -> int:
        """Length of the period."""
        return (self.period_end - self.period_start).days + 1

    @property
    def running(self) -> bool:
        """Whether the period is not over, so that its figures still change."""
        return self.days_complete < self.days


@dataclass(frozen=True)
class RisingType:
    """An event type in an area, over the `recent_days` that end with `day`; z is defined in rising_types/build.sql.

    If `base` is None, z is a lower bound (a whole number up to 3), so that the base cannot be computed from it.
    """

    event_type: int
    type_zh: str
    type_en: str
    day: date
    recent: int | None
    previous: int | None
    recent_days: int
    base: int | None
    base_days: int
    expected: float | None
    ratio: float | None
    z: float | None
    rank: int | None


@dataclass(frozen=True)
class ScoredArea:
    """The quality of a day's reports in an area or of a source; figures are defined in scorecard/build.sql.

    score: 0..100; shares are 0..1. None: unknown, or too small to show. running: the day is not over.
    """

    area_code: str
    area_zh: str
    area_en: str
    day: date
    score: float | None
    messages: int | None
    quarantined: int | None
    undated: int | None
    warned: int | None
    suspected: int | None
    backfilled: int | None
    lag_p50_seconds: int | None
    lag_p95_seconds: int | None
    reports: int | None
    completeness: float | None
    validity: float | None
    timeliness: float | None
    duplicate_share: float | None
    suspect_share: float | None
    running: bool


@dataclass(frozen=True)
class Reader:
    """Reads with the rights of the client. `published`: through the views that hide small counts.

    today: which periods are over; without it, the current day in the time zone of the city.
    """

    client: Client
    published: bool = True
    today: date | None = None

    def ranking(
        self,
        city: str,
        level: Level = "county",
        period: PeriodKind = "week",
        *,
        day: date | None = None,
        by: RankBy = "count",
        parent: str = "",
        limit: int = 50,
    ) -> list[RankedArea]:
        """The areas of a city in rank order, in the period that contains `day`, or in the last complete period.

        Without a complete period the running one is returned.

        parent: only areas directly below this county or town. Empty if that period was not built.
        """
        scope = {"city": city, "level": level, "period": period, "day": day or _LATEST}
        rows = self._rows("area_ranking", scope | {"by": by, "parent": parent, "limit": limit})
        return [RankedArea(**row) for row in rows]

    def rising(self, city: str, area: str = "", *, day: date | None = None, limit: int = 15) -> list[RisingType]:
        """Event types of the county `area` (or of the city) by z, on `day` or on the newest full day."""
        level = "county" if area else "city"
        scope = {"city": city, "area": area or city, "level": level, "day": day or _LATEST, "limit": limit}
        return [RisingType(**row) for row in self._rows("rising_types", scope)]

    def scorecard(
        self, city: str, level: ScoredLevel = "county", *, day: date | None = None, parent: str = "", limit: int = 200
    ) -> list[ScoredArea]:
        """The scorecards of a city by area or source, lowest score first, on `day` or on the newest full day built.

        parent: only towns of this county. Empty if that day was not built.
        """
        scope = {"city": city, "level": level, "day": day or _LATEST, "parent": parent, "limit": limit}
        return [ScoredArea(**row) for row in self._rows("scorecard", scope)]

    def _rows(self, mart: str, scope: dict[str, Any]) -> list[dict[str, Any]]:
        text = query_text(f"marts/{mart}/read.sql").replace("$view", f"published_{mart}" if self.published else mart)
        local = scope | {"today": self.today or today(registered_city(scope["city"]).timezone)}
        return list(self.client.query(text, local, query_tz="Asia/Shanghai").named_results())

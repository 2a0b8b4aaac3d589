"""The rules that need more than one field, the clock or the registry.

`judge` evaluates every rule on every row and keeps the ids of all that failed; the first one in the
order of `RULES` is the reason. Accepted rows gain where and when they belong: county, town, city and
the local day. Pure: Arrow in, Arrow out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.geo import to_wgs84
from pipelines.rejects import Reject, rejects_table

Mask = NDArray[np.bool_]

CLOCK_SKEW_MS = 5 * 60 * 1000  # producers' clocks may be this far ahead
EARLIEST = np.datetime64("2000-01-01", "ms").astype(np.int64)
LONGEST_LIMIT_MS = 3653 * 24 * 3600 * 1000  # ten years
_DAY = np.dtype("datetime64[D]")
_FOREVER = date(9999, 12, 31)


class GridRow(NamedTuple):
    """One grid of the registry; both `valid_from` and `valid_to` are days on which it is valid."""

    grid_code: str
    town_code: str
    county_code: str
    city_code: str
    timezone: str
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True)
class GridIndex:
    """The registry for lookup by code: parallel arrays, sorted by `codes` (12 digits as integers)."""

    codes: NDArray[np.int64]
    valid_from: NDArray[np.datetime64]
    valid_to: NDArray[np.datetime64]
    city: NDArray[np.int32]
    town_codes: pa.Array
    county_codes: pa.Array
    city_codes: tuple[str, ...]
    timezones: tuple[str, ...]

    @classmethod
    def of(cls, rows: Iterable[GridRow]) -> "GridIndex":
        ordered = sorted(rows, key=lambda row: int(row.grid_code))
        cities = sorted({(row.city_code, row.timezone) for row in ordered})
        number = {code: i for i, (code, _) in enumerate(cities)}
        return cls(
            codes=np.array([int(row.grid_code) for row in ordered], np.int64),
            valid_from=np.array([row.valid_from for row in ordered], _DAY),
            valid_to=np.array([row.valid_to or _FOREVER for row in ordered], _DAY),
            city=np.array([number[row.city_code] for row in ordered], np.int32),
            town_codes=pa.array([row.town_code for row in ordered], pa.string()),
            county_codes=pa.array([row.county_code for row in ordered], pa.string()),
            city_codes=tuple(code for code, _ in cities),
            timezones=tuple(timezone for _, timezone in cities),
        )

    def find(self, grid_codes: pa.ChunkedArray) -> tuple[NDArray[np.int64], Mask]:
        """Row numbers in this index, and whether each code is known (number 0 stands in where not)."""
        wanted = pc.cast(grid_codes, pa.int64()).to_numpy()
        if not len(self.codes):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
        at = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        known: Mask = self.codes[at] == wanted
        return np.where(known, at, 0), known


@dataclass(frozen=True)
class Context:
    """What the rules compare with: the registry, the known types, and the time of judging."""

    grids: GridIndex
    event_types: frozenset[int]
    now: datetime


@dataclass(frozen=True)
class Facts:
    """One batch, prepared once for all rules: parallel arrays, times in ms since the epoch (UTC)."""

    reported: NDArray[np.int64]
    updated: NDArray[np.int64]
    due: NDArray[np.int64]
    has_due: Mask
    day: NDArray[np.datetime64]
    grid: NDArray[np.int64]
    grid_known: Mask
    closed: Mask
    has_satisfaction: Mask
    event_type: NDArray[np.int64]
    context: Context


class Judged(NamedTuple):
    """`good`: the accepted rows with `day`, `city_code`, `county_code`, `town_code` added and the
    location in WGS-84; `rejects`: rows of `pipelines.rejects.REJECTS`."""

    good: pa.Table
    rejects: pa.Table


def _grid_not_valid(facts: Facts) -> Mask:
    grids = facts.context.grids
    if not len(grids.codes):
        return np.zeros(len(facts.day), np.bool_)
    outside: Mask = (facts.day < grids.valid_from[facts.grid]) | (facts.day > grids.valid_to[facts.grid])
    return facts.grid_known & outside


def _unknown_type(facts: Facts) -> Mask:
    unknown: Mask = (facts.event_type != 0) & ~np.isin(facts.event_type, sorted(facts.context.event_types))
    return unknown


def _in_the_future(facts: Facts) -> Mask:
    return facts.updated > int(facts.context.now.timestamp() * 1000) + CLOCK_SKEW_MS


# Reason id -> the rows that break the rule. The order is the order of importance.
RULES: Mapping[str, Callable[[Facts], Mask]] = {
    "unknown_grid": lambda facts: ~facts.grid_known,
    "before_the_epoch": lambda facts: facts.reported < EARLIEST,
    "grid_not_valid_that_day": _grid_not_valid,
    "unknown_event_type": _unknown_type,
    "in_the_future": _in_the_future,
    "updated_before_reported": lambda facts: facts.updated < facts.reported,
    "due_before_reported": lambda facts: facts.has_due & (facts.due < facts.reported),
    "due_too_late": lambda facts: facts.has_due & (facts.due - facts.reported > LONGEST_LIMIT_MS),
    "satisfaction_not_closed": lambda facts: facts.has_satisfaction & ~facts.closed,
}


def judge(decoded: pa.Table, context: Context) -> Judged:
    """Split `decoded` (schema `pipelines.decode.DECODED`) by `RULES`; no row is lost."""
    facts = _facts(decoded, context)
    broken = {reason: rule(facts) for reason, rule in RULES.items()}
    refused = np.logical_or.reduce(list(broken.values()))
    rejects = rejects_table(decoded, [_reject(int(row), broken) for row in np.flatnonzero(refused)])
    kept = np.flatnonzero(~refused)
    good = decoded if len(kept) == decoded.num_rows else decoded.take(pa.array(kept))
    return Judged(_located(_placed(good, facts, kept)), rejects)


def _reject(row: int, broken: Mapping[str, Mask]) -> Reject:
    reasons = tuple(reason for reason, mask in broken.items() if mask[row])
    return Reject(row, "judge", reasons, ", ".join(reasons))


def _facts(decoded: pa.Table, context: Context) -> Facts:
    grid, known = context.grids.find(decoded["grid_code"])
    return Facts(
        reported=_millis(decoded["reported_at"]),
        updated=_millis(decoded["updated_at"]),
        due=_millis(decoded["due_at"]),
        has_due=_given(decoded["due_at"]),
        day=_local_days(decoded["reported_at"], grid, context.grids),
        grid=grid,
        grid_known=known,
        closed=pc.equal(decoded["status"], "closed").to_numpy(),
        has_satisfaction=_given(decoded["satisfaction"]),
        event_type=pc.fill_null(decoded["event_type"], 0).to_numpy().astype(np.int64),
        context=context,
    )


def _millis(moments: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(pc.cast(moments, pa.int64()), 0).to_numpy())


def _given(column: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.is_valid(column).to_numpy())


def _local_days(moments: pa.ChunkedArray, grid: NDArray[np.int64], grids: GridIndex) -> NDArray[np.datetime64]:
    """The calendar day of each moment where the report's city is; UTC for an unknown grid."""
    days: NDArray[np.datetime64] = moments.to_numpy().astype(_DAY)
    if not len(grids.codes):
        return days
    city = grids.city[grid]
    for number in np.unique(city):
        rows = city == number
        local = pc.local_timestamp(pc.cast(moments, pa.timestamp("ms", grids.timezones[number])))
        days[rows] = local.to_numpy().astype(_DAY)[rows]
    return days


def _placed(good: pa.Table, facts: Facts, kept: NDArray[np.intp]) -> pa.Table:
    grids, at = facts.context.grids, pa.array(facts.grid[kept])
    city = (
        pa.DictionaryArray.from_arrays(pa.array(grids.city[facts.grid[kept]]), pa.array(grids.city_codes, pa.string()))
        if len(kept)
        else pa.array([], pa.string())
    )
    return (
        good.append_column("day", pa.array(facts.day[kept], pa.date32()))
        .append_column("city_code", pc.cast(city, pa.string()))
        .append_column("county_code", grids.county_codes.take(at))
        .append_column("town_code", grids.town_codes.take(at))
    )


def _located(good: pa.Table) -> pa.Table:
    is_gcj02 = pc.fill_null(pc.equal(good["crs"], "gcj02"), False).to_numpy()
    if not is_gcj02.any():
        return good
    lon, lat = to_wgs84(_floats(good["lon"]), _floats(good["lat"]), is_gcj02)
    for name, values in (("lon", lon), ("lat", lat)):
        good = good.set_column(good.schema.get_field_index(name), name, pa.array(values, from_pandas=True))
    return good


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(), np.float64)


def utc_now() -> datetime:
    """The time of judging."""
    return datetime.now(UTC)

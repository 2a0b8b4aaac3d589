"""Look up the grids of a whole batch by their codes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

DAY = np.dtype("datetime64[D]")
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
    version: str = ""

    @classmethod
    def of(cls, rows: Iterable[GridRow], version: str = "") -> "GridIndex":
        """The index of these grids; `version` names the state of the registry that they were read from."""
        ordered = sorted(rows, key=lambda row: int(row.grid_code))
        cities = sorted({(row.city_code, row.timezone) for row in ordered})
        number = {code: i for i, (code, _) in enumerate(cities)}
        return cls(
            codes=np.array([int(row.grid_code) for row in ordered], np.int64),
            valid_from=np.array([row.valid_from for row in ordered], DAY),
            valid_to=np.array([row.valid_to or _FOREVER for row in ordered], DAY),
            city=np.array([number[row.city_code] for row in ordered], np.int32),
            town_codes=pa.array([row.town_code for row in ordered], pa.string()),
            county_codes=pa.array([row.county_code for row in ordered], pa.string()),
            city_codes=tuple(code for code, _ in cities),
            timezones=tuple(timezone for _, timezone in cities),
            version=version,
        )

    def find(self, grid_codes: pa.ChunkedArray) -> tuple[NDArray[np.int64], Mask]:
        """Row numbers in this index, and whether each code is known; the row number of an unknown
        code is 0."""
        wanted = pc.cast(grid_codes, pa.int64()).to_numpy()
        if not len(self.codes):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
        at = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        known: Mask = self.codes[at] == wanted
        return np.where(known, at, 0), known

    def days_off(self, rows: NDArray[np.int64], days: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The number of days between each day and the validity of the grid in that row of this
        index; 0 when valid."""
        if not len(self.codes):
            return np.zeros(len(days), np.int64)
        early, late = self.valid_from[rows] - days, days - self.valid_to[rows]
        return np.maximum(np.maximum(early, late).astype(np.int64), 0)

    def local_days(self, rows: NDArray[np.int64], moments: pa.ChunkedArray) -> NDArray[np.datetime64]:
        """The calendar day of each moment in the time zone of the grid's city; in UTC for an empty
        registry."""
        days: NDArray[np.datetime64] = moments.to_numpy().astype(DAY)
        if not len(self.codes):
            return days
        # With pandas: Arrow reads zones from the operating system only, and a slim container has none.
        utc, city = pd.DatetimeIndex(moments.to_numpy(), tz="UTC"), self.city[rows]
        for number in np.unique(city):
            of_city = city == number
            local = utc[of_city].tz_convert(self.timezones[number]).tz_localize(None)
            days[of_city] = local.to_numpy().astype(DAY)
        return days

"""Locations of simulated reports: invented points, well inside the county if its outline is known."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.places.coordinates import gcj02_shift
from pipelines.places.outlines import outlines
from pipelines.sources.simulator.model import Area, CityModel

_MARGIN_M = 1_000.0  # from the border of the county, so that the side is not in doubt
_SPREAD = 0.0140  # degrees: side of the square that contains the grids of a town and their reports
_TRIES = 400


class Places(NamedTuple):
    """(longitude, latitude) by grid, in WGS-84 and in GCJ-02. `elsewhere`: a grid in another county, or -1."""

    wgs84: NDArray[np.float64]
    gcj02: NDArray[np.float64]
    elsewhere: NDArray[np.int64]


def places(model: CityModel) -> Places:
    """The places of a city; the same model gives the same places."""
    area = model.profile.areas[model.code]
    points = np.array([_grid(grid.grid_code, _town(grid.town_code, area)) for grid in model.grids])
    shift = np.column_stack(gcj02_shift(points[:, 0], points[:, 1]))
    return Places(points, points + shift, _elsewhere(model))


def _grid(code: str, town: tuple[float, float]) -> tuple[float, float]:
    own = hash_of(code)
    return town[0] + (own & 255) * 5e-5, town[1] + (own >> 8 & 255) * 5e-5


@cache
def _town(code: str, area: Area) -> tuple[float, float]:
    """The south-west corner of a town's square."""
    if code[:6] in outlines():
        return _inside(code)
    mixed = hash_of(code)
    lon, lat = ((mixed >> shift & 1023) / 512 - 1 for shift in (0, 10))
    return area.lon + lon * area.width, area.lat + lat * area.width


def _inside(town: str) -> tuple[float, float]:
    """The first random corner whose square is inside the county."""
    inner, scale = _inner(town[:6]), np.array(outlines()[town[:6]].scale)
    low, high = np.array(inner.bounds[:2]), np.array(inner.bounds[2:])
    mixed = np.array([hash_of(f"{town}{number:03d}") for number in range(_TRIES)])
    corners = low + np.column_stack([mixed & 0xFFFF, mixed >> 16]) / 0x10000 * (high - low)
    squares = shapely.box(*corners.T, *(corners + _SPREAD * scale).T)
    lon, lat = corners[np.argmax(shapely.contains_properly(inner, squares))] / scale
    return float(lon), float(lat)


@cache
def _inner(county: str) -> Any:
    inner = shapely.buffer(outlines()[county].land, -_MARGIN_M)
    shapely.prepare(inner)
    return inner


def _elsewhere(model: CityModel) -> NDArray[np.int64]:
    """The grid half the list further; grids are ordered by code, and no county has half of them."""
    n = len(model.grids)
    other = (np.arange(n) + n // 2) % n
    county = np.array([grid.county_code for grid in model.grids])
    known = np.isin(county, list(outlines())) & (county != county[other])
    return np.where(known, other, -1)


def hash_of(code: str) -> int:
    """A 32-bit hash of a code."""
    return int(code) * 0x9E3779B97F4A7C15 >> 20 & 0xFFFFFFFF

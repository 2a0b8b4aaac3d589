"""Distances of locations from the outline of their county. Pure: Arrow in, Arrow out.

The outlines are read from `schemas/registry/<city>/outlines.geojson` (WGS-84). They are coarse, and
the coast changes: land is reclaimed, islets and harbours are not drawn. So a location counts as
inside

* within `TOLERANCE_M` of the county, because two published outlines of a county differ by about as much, and
* on the city's waters up to `COAST_M` from the county. The file holds these waters; they are not land of any county.

Distances are computed on a plane: degrees times the length of a degree (WGS-84) at the middle
latitude of the county. Over the 80 km of a county the error is below 0.5 %; farther away a distance
only means "very far".
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from schemas.registry import FOLDER
from schemas.registry.outlines import COAST_M

Column: TypeAlias = pa.Array | pa.ChunkedArray

TOLERANCE_M = 500.0


@dataclass(frozen=True)
class Outline:
    """One county on its own plane, in metres: `land` is the outline, `allowed` the area that counts
    as inside. `scale`: metres of a degree of longitude and of latitude."""

    scale: tuple[float, float]
    land: Any
    allowed: Any

    def outside(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres from each point (degrees, WGS-84) to the land; NaN where the point is allowed."""
        x, y = lon * self.scale[0], lat * self.scale[1]
        metres = np.full(len(x), np.nan)
        far = ~shapely.contains_xy(self.allowed, x, y)
        metres[far] = shapely.distance(self.land, shapely.points(x[far], y[far]))
        return metres


def metres_outside(county_codes: Column, lon: Column, lat: Column) -> pa.Array:
    """Metres (float32) between each location and the outline of its county; null where it is
    inside, is not given, or the outline of the county is unknown. `lon` and `lat`: degrees in
    WGS-84."""
    x, y = _degrees(lon), _degrees(lat)
    metres = np.full(len(x), np.nan)
    coded = pc.dictionary_encode(_array(county_codes))
    number = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    given = np.isfinite(x) & np.isfinite(y)
    for position, code in enumerate(coded.dictionary.to_pylist()):
        if outline := outlines().get(code):
            rows = np.flatnonzero(given & (number == position))
            metres[rows] = outline.outside(x[rows], y[rows])
    return pa.array(metres.astype(np.float32), from_pandas=True)


def _array(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _degrees(column: Column) -> NDArray[np.float64]:
    numbers = pc.fill_null(pc.cast(_array(column), pa.float64()), np.nan)
    return np.asarray(numbers.to_numpy(zero_copy_only=False))


@functools.cache
def outlines() -> Mapping[str, Outline]:
    """All outlines of the registry, by county code."""
    return {code: outline for path in sorted(FOLDER.glob("*/outlines.geojson")) for code, outline in _read(path)}


def _read(path: Path) -> Iterator[tuple[str, Outline]]:
    features = json.loads(path.read_text("utf-8"))["features"]
    shapes = {f["properties"]["county_code"]: shapely.from_geojson(json.dumps(f["geometry"])) for f in features}
    waters = shapes.pop(None)  # of the whole city
    for code, shape in shapes.items():
        yield code, _outline(shape, waters)


def _outline(shape: Any, waters: Any) -> Outline:
    scale = metres_of_a_degree((shape.bounds[1] + shape.bounds[3]) / 2)
    land, sea = (shapely.transform(area, lambda points: points * scale) for area in (shape, waters))
    allowed = shapely.union(land, shapely.intersection(sea, shapely.buffer(land, COAST_M)))
    allowed = shapely.buffer(allowed, TOLERANCE_M)
    shapely.prepare([land, allowed])
    return Outline(scale, land, allowed)


def metres_of_a_degree(latitude: float) -> tuple[float, float]:
    """The metres of a degree of longitude and of latitude at this latitude, on the WGS-84
    ellipsoid: the usual cosine series."""
    phi = np.radians(latitude)
    east = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
    north = 111_132.92 - 559.82 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
    return float(east), float(north)

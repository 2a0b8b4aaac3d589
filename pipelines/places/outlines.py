"""How far outside its county a report's location lies. Pure: Arrow in, Arrow out.

The outlines are those of `schemas/registry/<city>/outlines.geojson` (WGS-84). They are coarse, and the coast moves:
land is reclaimed, islets and harbours are not drawn. So a location counts as inside

* within `TOLERANCE_M` of the county, since two published outlines of a county differ by about as much, and
* on the city's waters, up to `COAST_M` from the county: the file says where they are; they are no other county's land.

Distances are reckoned on a plane: degrees times the length of a degree (WGS-84) at the middle of the county. Over a
county's 80 km that is right within 0.5 %; far away it only says "very far".
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
    """One county on its own plane: `land` is the outline, `allowed` where a location raises no question,
    both in metres. `scale`: metres of a degree of longitude and of latitude."""

    scale: tuple[float, float]
    land: Any
    allowed: Any

    def outside(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres from each point (degrees, WGS-84) to the land; NaN where the point is allowed."""
        x, y = lon * self.scale[0], lat * self.scale[1]
        found = np.full(len(x), np.nan)
        far = ~shapely.contains_xy(self.allowed, x, y)
        found[far] = shapely.distance(self.land, shapely.points(x[far], y[far]))
        return found


def metres_outside(county_codes: Column, lon: Column, lat: Column) -> pa.Array:
    """Metres (float32) between each location and its county's outline; null where it is inside, where it is not
    given, and where no outline of the county is known. `lon` and `lat` are degrees in WGS-84."""
    x, y = _degrees(lon), _degrees(lat)
    found = np.full(len(x), np.nan)
    coded = pc.dictionary_encode(_array(county_codes))
    number = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    given = np.isfinite(x) & np.isfinite(y)
    for position, code in enumerate(coded.dictionary.to_pylist()):
        if outline := outlines().get(code):
            rows = np.flatnonzero(given & (number == position))
            found[rows] = outline.outside(x[rows], y[rows])
    return pa.array(found.astype(np.float32), from_pandas=True)


def _array(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _degrees(column: Column) -> NDArray[np.float64]:
    numbers = pc.fill_null(pc.cast(_array(column), pa.float64()), np.nan)
    return np.asarray(numbers.to_numpy(zero_copy_only=False))


@functools.cache
def outlines() -> Mapping[str, Outline]:
    """The outline of every county that the registry has one of, by county code."""
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
    """The length of a degree of longitude and of latitude there, on the WGS-84 ellipsoid."""
    phi = np.radians(latitude)
    east = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
    north = 111_132.92 - 559.82 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
    return float(east), float(north)

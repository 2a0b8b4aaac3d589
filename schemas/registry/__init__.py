"""The registry of areas: cities, counties, towns and grids, read from the folders next to this file.

Every function takes a city (its code or a `City`); without a city it returns the areas of all cities. The first call
reads and checks the files; the result is cached.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from schemas.registry.model import City, County, Grid, Town
from schemas.registry.read import CityRegistry, read_city

FOLDER = Path(__file__).parent

__all__ = [
    "FOLDER", "City", "CityRegistry", "County", "Grid", "Town",
    "cities", "city", "counties", "grids", "grids_by_source", "read_city", "towns",
]  # fmt: skip


@cache
def _registries() -> dict[str, CityRegistry]:
    folders = sorted(path.parent for path in FOLDER.glob("*/city.yaml"))
    return {folder.name: read_city(folder) for folder in folders}


def _chosen(which: City | str | None) -> Iterator[CityRegistry]:
    if which is None:
        yield from _registries().values()
    else:
        yield _registries()[which if isinstance(which, str) else which.code]


@cache
def cities() -> tuple[City, ...]:
    """All cities, ordered by code."""
    return tuple(registry.city for registry in _chosen(None))


def city(code: str) -> City:
    """The city with this code.

    Raises:
        KeyError: the registry has no such city.
    """
    return _registries()[code].city


@cache
def counties(city: City | str | None = None) -> tuple[County, ...]:
    """The counties of a city, ordered by code."""
    return tuple(county for registry in _chosen(city) for county in registry.counties)


@cache
def towns(city: City | str | None = None) -> tuple[Town, ...]:
    """The towns of a city, ordered by code."""
    return tuple(town for registry in _chosen(city) for town in registry.towns)


@cache
def grids(city: City | str | None = None) -> tuple[Grid, ...]:
    """The grids of a city, ordered by code."""
    return tuple(grid for registry in _chosen(city) for grid in registry.grids)


@cache
def grids_by_source(city: City | str) -> dict[str, Grid]:
    """The grids of a city by their names at the source: `source_id` and every alias."""
    by_alias = {name: grid for grid in grids(city) for name in grid.aliases}
    return by_alias | {grid.source_id: grid for grid in grids(city) if grid.source_id}

"""Reads and checks the folder of a city in the registry, with errors that name file and line."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from schemas.registry.model import City, County, Grid, Town

Row = dict[str, Any]
T = TypeVar("T", County, Town, Grid)
# Columns that a file leaves out because they follow from the code or the folder.
_DERIVED = {"city_code", "county_code", "town_code"}
_ROW_PATH = re.compile(r" - at `\$\[(\d+)\](?:\.(\w+))?.*`$")


class _CityFile(City, frozen=True, kw_only=True):
    """`city.yaml`: the city, and the number of areas in its files, so that a truncated file is detected."""

    counties: Annotated[int, Meta(ge=1)]
    towns: Annotated[int, Meta(ge=1)]
    grids: Annotated[int, Meta(ge=1)]


@dataclass(frozen=True)
class CityRegistry:
    """A city with its areas, each ordered by code."""

    city: City
    counties: tuple[County, ...]
    towns: tuple[Town, ...]
    grids: tuple[Grid, ...]


def read_city(folder: Path) -> CityRegistry:
    """The city in `folder` (`<city_code>/city.yaml, counties.csv, towns.csv, grids.csv`).

    Raises:
        ValueError: a value is malformed, a code is used twice or has no parent, the number of
            areas is not that in city.yaml, a validity ends before it begins. Names file and line.
        FileNotFoundError: a file is missing.
    """
    file = _read_city_file(folder)
    counties = _read(folder / "counties.csv", County, "county_code", file.code)
    towns = _read(folder / "towns.csv", Town, "town_code", file.code)
    grids = _read(folder / "grids.csv", Grid, "grid_code", file.code)
    _check_count(folder / "counties.csv", len(counties), file.counties)
    _check_count(folder / "towns.csv", len(towns), file.towns)
    _check_count(folder / "grids.csv", len(grids), file.grids)
    _check_parents(folder, {town.county_code for town in towns}, {county.county_code for county in counties})
    _check_parents(folder, {grid.town_code for grid in grids}, {town.town_code for town in towns})
    city = City(file.code, file.zh, file.en, file.timezone, file.valid_from, file.valid_to)
    return CityRegistry(city, counties, towns, grids)


def _read_city_file(folder: Path) -> _CityFile:
    path = folder / "city.yaml"
    try:
        file = msgspec.yaml.decode(path.read_bytes(), type=_CityFile)
        ZoneInfo(file.timezone)
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise ValueError(f"{_label(path)}: {' '.join(str(error).split())}") from error
    if file.code != folder.name:
        raise ValueError(f"{_label(path)}: code {file.code} is in folder {folder.name}")
    return file


def _read(path: Path, kind: type[T], key: str, city_code: str) -> tuple[T, ...]:
    """The rows of a CSV file as `kind`, ordered by `key`. Empty cells are None."""
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        _check_header(path, reader.fieldnames or (), kind, key)
        rows = [_completed(row, key, city_code) for row in reader]
    try:
        areas = msgspec.convert(rows, type=tuple[kind, ...], strict=False)  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise ValueError(f"{_label(path)}{_where(str(error))}") from error
    _check_rows(path, areas, key)
    return tuple(sorted(areas, key=lambda area: str(getattr(area, key))))


def _completed(row: Row, key: str, city_code: str) -> Row:
    code = row[key] or ""
    full: Row = {name: value for name, value in row.items() if value}
    full["city_code"] = city_code
    full["county_code"] = code[:6]
    if key != "county_code":
        full["town_code"] = code[:9]
    if key == "grid_code":
        full["aliases"] = row["aliases"].split("|") if row["aliases"] else ()
        for name in ("households", "migrants", "party_members", "shops"):
            full.setdefault(name, None)
    return full


def _check_header(path: Path, names: Any, kind: type[Struct], key: str) -> None:
    wanted = [name for name in kind.__struct_fields__ if name == key or name not in _DERIVED]
    if list(names) != wanted:
        raise ValueError(f"{_label(path)}:1: columns must be {','.join(wanted)}, not {','.join(names)}")


def _check_rows(path: Path, areas: tuple[T, ...], key: str) -> None:
    seen: dict[str, int] = {}
    for line, area in enumerate(areas, start=2):
        code = str(getattr(area, key))
        if code in seen:
            raise ValueError(f"{_label(path)}:{line}: {key} {code} is already in line {seen[code]}")
        if area.valid_to and area.valid_to < area.valid_from:
            raise ValueError(f"{_label(path)}:{line}: valid_to is earlier than valid_from")
        seen[code] = line


def _check_count(path: Path, rows: int, announced: int) -> None:
    if rows != announced:
        raise ValueError(f"{_label(path)}: {rows} rows, but city.yaml announces {announced}")


def _check_parents(folder: Path, used: set[str], known: set[str]) -> None:
    if used - known:
        raise ValueError(
            f"{folder.name}: no area has code {', '.join(sorted(used - known))}, but areas inside it exist"
        )
    if known - used:
        raise ValueError(f"{folder.name}: there is no area inside {', '.join(sorted(known - used))}")


def _label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _where(message: str) -> str:
    """msgspec's `... - at $[17].households` as `:19: households: ...`."""
    match = _ROW_PATH.search(message)
    if not match:
        return f": {message}"
    column = f" {match[2]}:" if match[2] else ""
    return f":{int(match[1]) + 2}:{column} {message[: match.start()]}"

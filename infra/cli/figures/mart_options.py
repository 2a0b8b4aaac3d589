"""Options shared by the commands that read the marts: user, city, day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Literal

import typer

from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.marts.read import Reader
from schemas.registry import cities, counties, grids, towns

LEVELS = {"city": "全市", "source": "来源", "county": "县区", "town": "镇街", "grid": "网格"}

Who = Literal["analyst", "board", "engineer"]
AsWhom = Annotated[
    Who, typer.Option("--user", help="以谁的权限：engineer 可见小于 5 的数 engineer sees counts below 5")
]
CityCode = Annotated[str, typer.Option(help="城市代码 city code, 6 digits")]
Day = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], help="日期，缺省为最近完整的一期 a day; without it, the last complete day or period"
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="最多行数 most rows")]


@contextmanager
def reader(user: Who) -> Iterator[Reader]:
    """A reader with the rights of `user`; only the engineer sees counts below 5."""
    with settings().client(user) as client:
        yield Reader(client, published=user != "engineer")


def require_city(code: str) -> None:
    """Raises UserFault if there is no such city."""
    if code not in {city.code for city in cities()}:
        listed = ", ".join(f"{city.code} {city.zh} {city.en}" for city in cities())
        raise UserFault(f"没有城市 {code} there is no such city; choose from 可选: {listed}")


def require_area(city: str, code: str, level: Literal["county", "town"]) -> None:
    """Raises UserFault if `code` is not '' and no area of `city` on this level."""
    by_level = {
        "county": {county.county_code: county.zh for county in counties(city)},
        "town": {town.town_code: town.zh for town in towns(city)},
    }
    areas, zh = by_level[level], LEVELS[level]
    if not code or code in areas:
        return
    smaller = {*by_level["town"], *(grid.grid_code for grid in grids(city))}
    around = code[:6] if level == "county" else code[:9]
    if code in smaller and around in areas:
        raise UserFault(f"{code} 小于{zh} is smaller than a {level}; 请用 use {around} {areas[around]}")
    under = {area: name for area, name in areas.items() if area.startswith(around[:6])} or by_level["county"]
    listed = ", ".join(f"{area} {name}" for area, name in under.items())
    raise UserFault(f"{city} 没有{zh} {code!r} has no such {level}; 可选 choose from: {listed}")

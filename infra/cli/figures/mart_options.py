"""What the commands share that read the marts: whose rights, which city, which day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Literal

import typer

from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.marts.read import Reader
from pipelines.services.clickhouse import connect
from schemas.registry import cities

Who = Literal["analyst", "board", "engineer"]
AsWhom = Annotated[
    Who, typer.Option("--user", help="以谁的权限：engineer 可见小于 5 的数 engineer sees counts below 5")
]
CityCode = Annotated[str, typer.Option(help="城市代码 city code, 6 digits")]
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="日期，缺省为最新 a day; without it, the latest built")
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="最多行数 most rows")]


@contextmanager
def reader(user: Who) -> Iterator[Reader]:
    """Reads as that user; only the engineer sees counts below 5."""
    client = connect(settings().clickhouse(user))
    try:
        yield Reader(client, published=user != "engineer")
    finally:
        client.close()


def known(city: str) -> None:
    """Raises UserFault when there is no such city."""
    codes = {one.code: one for one in cities()}
    if city not in codes:
        listed = ", ".join(f"{code} {one.zh} {one.en}" for code, one in codes.items())
        raise UserFault(f"there is no city {city}; choose from {listed}")

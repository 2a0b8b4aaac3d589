"""A code that is no area of the command's level is named, with a code that is."""

from typing import Literal

import pytest

from infra.cli.figures.mart_options import require_area
from pipelines.errors import UserFault
from schemas.registry import counties, grids, towns

CITY = "330200"
COUNTY, TOWN, GRID = counties(CITY)[0].county_code, towns(CITY)[0].town_code, grids(CITY)[0].grid_code
Level = Literal["county", "town"]


@pytest.mark.parametrize(("code", "level"), [("", "county"), (COUNTY, "county"), (TOWN, "town")])
def test_an_area_of_the_level_is_accepted(code: str, level: Level) -> None:
    require_area(CITY, code, level)


@pytest.mark.parametrize(
    ("code", "level", "named"),
    [
        ("999999", "county", f"choose from: {COUNTY} "),
        (f"{COUNTY}999", "town", f"choose from: {TOWN} "),
        ("x", "town", f"choose from: {COUNTY} "),
        (GRID, "county", f"use {COUNTY} "),
        (TOWN, "county", f"use {COUNTY} "),
        (GRID, "town", f"use {TOWN} "),
        (COUNTY, "town", f"choose from: {TOWN} "),
    ],
)
def test_another_code_is_a_users_mistake(code: str, level: Level, named: str) -> None:
    with pytest.raises(UserFault) as caught:
        require_area(CITY, code, level)
    assert named in str(caught.value) and code in str(caught.value)

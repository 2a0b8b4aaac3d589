"""Where the real data is, and the simulated days that several tests look at."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.intake.rules.columns import Context
from pipelines.places.grids import GridIndex, GridRow
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel, city_model
from pipelines.sources.simulator.plan import Disorder
from schemas import registry
from schemas.event_types import known_codes
from tests.support.simulated import FIRST, LAST, backfill

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def model() -> CityModel:
    return city_model("330200", seed=7)


@pytest.fixture(scope="session")
def sent(model: CityModel) -> list[Sent]:
    """Three days at a quarter of the usual load, with more disorder than usual."""
    return list(backfill(model, FIRST, LAST, disorder=Disorder(0.05, 0.03, 0.05), load=0.25).messages())


@pytest.fixture(scope="session")
def context() -> Context:
    timezones = {city.code: city.timezone for city in registry.cities()}
    rows = [
        GridRow(
            grid.grid_code, grid.town_code, grid.county_code, grid.city_code, timezones[grid.city_code],
            grid.valid_from, grid.valid_to,
        )
        for grid in registry.grids()
    ]  # fmt: skip
    return Context(GridIndex.of(rows), known_codes(), datetime.now(UTC))

"""The simulated city: its behaviour (`profile.yaml`) and its grids, as arrays to draw from."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from pipelines.errors import UserFault
from schemas import registry
from schemas.contract.v1 import SOURCES, STATUSES
from schemas.event_types import event_types

PATH = Path(__file__).with_name("profile.yaml")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MAX_STEPS = 8
Share = Annotated[float, Meta(ge=0, le=1)]


class Shares(Struct, frozen=True, forbid_unknown_fields=True):
    own_code: Share
    miscoded: Share
    due_given: Share
    located: Share
    astray: Share
    reporter: Share
    personal: Share
    unknown_field: Share
    satisfaction: Share
    retyped: Share
    moved: Share
    tied: Share


class Course(Struct, frozen=True, forbid_unknown_fields=True):
    share: Share
    steps: Annotated[tuple[tuple[str, float], ...], Meta(min_length=1, max_length=MAX_STEPS)]


class Area(Struct, frozen=True, forbid_unknown_fields=True):
    lon: float
    lat: float
    width: float


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    per_grid_and_day: Annotated[float, Meta(gt=0)]
    type_weights: dict[int, float]
    hour_weights: Annotated[tuple[float, ...], Meta(min_length=24, max_length=24)]
    weekday_factors: Annotated[tuple[float, ...], Meta(min_length=7, max_length=7)]
    sources: dict[str, float]
    special_sources: dict[int, dict[str, Share]]
    courses: tuple[Course, ...]
    within_limit: Share
    handling_sigma: float
    shares: Shares
    areas: dict[str, Area]


@cache
def profile() -> Profile:
    """The behaviour in `profile.yaml`."""
    return msgspec.yaml.decode(PATH.read_bytes(), type=Profile)


def seeded(*parts: object) -> np.random.Generator:
    """A generator that depends only on `parts`."""
    return np.random.default_rng(np.frombuffer(_digest(*parts), np.uint64))


def key_of(*parts: object) -> tuple[int, int]:
    """Two 64-bit keys that depend only on `parts`; ids are computed from them."""
    raw = _digest(*parts)
    return int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).digest()


@dataclass(frozen=True)
class CityModel:
    """A city to draw from. Arrays over grids are ordered by grid code.

    weights: share of the reports by grid. hot: indexes of busy grids. slowness: log of the handling time of the
    county relative to the limit, by grid. limits_ms: handling limits by type. source_weights: by type and source.
    """

    code: str
    timezone: str
    seed: int
    profile: Profile
    grids: tuple[Any, ...]
    weights: NDArray[np.float64]
    hot: NDArray[np.int64]
    slowness: NDArray[np.float64]
    codes: NDArray[np.int16]
    type_weights: NDArray[np.float64]
    limits_ms: NDArray[np.int64]
    severities: NDArray[np.int8]
    source_weights: NDArray[np.float64]


def city_model(code: str = "330200", seed: int = 1) -> CityModel:
    """The model of a registry city; the same arguments give the same model.

    Raises:
        UserFault: the registry has no such city.
    """
    cities = {city.code: city for city in registry.cities()}
    if code not in cities:
        raise UserFault(f"没有这个城市 no such city: {code}; 已有 known: {', '.join(sorted(cities))}")
    behaviour, kinds, rng = profile(), event_types(), seeded(seed, code, "city")
    # Towns 999 are for reports without a place; nothing is reported from there.
    grids = tuple(grid for grid in registry.grids(code) if "999" not in grid.town_code[6:])
    weights, hot = _grid_weights(grids, rng)
    counties = sorted({grid.county_code for grid in grids})
    effect = dict(zip(counties, rng.normal(0, 0.15, len(counties)), strict=True))
    return CityModel(
        code=code,
        timezone=cities[code].timezone,
        seed=seed,
        profile=behaviour,
        grids=grids,
        weights=weights,
        hot=hot,
        slowness=np.array([effect[grid.county_code] for grid in grids]),
        codes=np.array([kind.code for kind in kinds], np.int16),
        type_weights=_normal([behaviour.type_weights[kind.code] for kind in kinds]),
        limits_ms=np.array([kind.limit_hours * HOUR_MS for kind in kinds], np.int64),
        severities=np.array([kind.severity for kind in kinds], np.int8),
        source_weights=np.array([_source_row(behaviour, kind.code) for kind in kinds]),
    )


def _grid_weights(grids: tuple[Any, ...], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Shares by households, varied at random; one grid in a hundred is five times as busy. And the busy grids."""
    size = np.array([grid.households or 500 for grid in grids], float)
    weights = np.sqrt(size) * rng.gamma(4.0, 0.25, len(grids))
    hot = rng.choice(len(grids), max(1, len(grids) // 100), replace=False)
    weights[hot] *= 5
    return weights / weights.sum(), np.sort(hot)


def _source_row(behaviour: Profile, code: int) -> NDArray[np.float64]:
    special = behaviour.special_sources.get(code, {})
    usual = (1 - sum(special.values())) / sum(behaviour.sources.values())
    row = {name: weight * usual for name, weight in behaviour.sources.items()} | special
    return _normal([row.get(name, 0.0) for name in SOURCES])


def _normal(weights: list[float]) -> NDArray[np.float64]:
    values = np.array(weights, float)
    return np.asarray(values / values.sum())


def status_number(name: str) -> int:
    """The index of a status in the list of the contract."""
    return STATUSES.index(name)

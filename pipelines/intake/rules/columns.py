"""The columns that row rules use: those of the batch, and derived ones, each computed once, when it is first used.

What each derived column means is said in `schemas/expectations/events.yaml`; the view `quality_events` derives the same
ones in SQL, and a test compares both.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.places.grids import GridIndex, Mask

_DAY_MS = 24 * 3600 * 1000
# Arrow asks the operating system even for UTC, and a slim container has no time zones.
_NAIVE = pa.timestamp("ms")


@dataclass(frozen=True)
class Context:
    """What the rules compare with: the registry, the known types, and the time of judging."""

    grids: GridIndex
    event_types: frozenset[int]
    now: datetime


@dataclass
class Columns:
    """The columns of one batch by name: `rows`' own ones, then those of `DERIVED`."""

    rows: pa.Table
    context: Context
    _derived: dict[str, pa.Array] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pa.Array:
        if name in self.rows.schema.names:
            return self.rows[name]
        if name not in self._derived:
            self._derived[name] = DERIVED[name].reckon(self)
        return self._derived[name]

    @functools.cached_property
    def grid(self) -> tuple[NDArray[np.int64], Mask]:
        """The index of each row's grid in the registry, and whether it is there."""
        return self.context.grids.find(self.rows["grid_code"])

    @functools.cached_property
    def day(self) -> NDArray[np.datetime64]:
        """The report's local day."""
        return self.context.grids.local_days(self.grid[0], self.rows["reported_at"])


class _Derived(NamedTuple):
    needs: tuple[str, ...]
    reckon: Callable[[Columns], pa.Array]


def _millis(moments: pa.ChunkedArray) -> pa.Array:
    return pc.cast(pc.cast(moments, pa.timestamp("ms", "UTC")), pa.int64())


def _days_between(of: Columns, first: str, last: str) -> pa.Array:
    return pc.divide(pc.cast(pc.subtract(_millis(of[last]), _millis(of[first])), pa.float64()), float(_DAY_MS))


def _grid_days_off(of: Columns) -> pa.Array:
    at, known = of.grid
    return pa.array(of.context.grids.days_off(at, of.day), mask=~known)


def _event_type_known(of: Columns) -> pa.Array:
    types = of["event_type"]
    known = pc.is_in(types, pa.array(sorted(of.context.event_types), types.type))
    return pc.if_else(pc.is_valid(types), pc.cast(known, pa.uint8()), None)


def _seconds_ahead(of: Columns) -> pa.Array:
    now = int(of.context.now.timestamp() * 1000)
    return pc.divide(pc.cast(pc.subtract(_millis(of["updated_at"]), now), pa.float64()), 1000.0)


def _has_letter(of: Columns) -> pa.Array:
    return pc.cast(pc.match_substring_regex(of["text"], r"\pL"), pa.uint8())


DERIVED: dict[str, _Derived] = {
    "day": _Derived(("reported_at", "grid_code"), lambda of: pa.array(of.day, pa.date32())),
    "grid_known": _Derived(("grid_code",), lambda of: pa.array(of.grid[1].astype(np.uint8))),
    "grid_days_off": _Derived(("grid_code", "reported_at"), _grid_days_off),
    "reported_year": _Derived(("reported_at",), lambda of: pc.year(pc.cast(of["reported_at"], _NAIVE))),
    "event_type_known": _Derived(("event_type",), _event_type_known),
    "seconds_ahead": _Derived(("updated_at",), _seconds_ahead),
    "limit_days": _Derived(("reported_at", "due_at"), lambda of: _days_between(of, "reported_at", "due_at")),
    "text_characters": _Derived(("text",), lambda of: pc.utf8_length(of["text"])),
    "has_letter": _Derived(("text",), _has_letter),
    "days_on_the_way": _Derived(
        ("reported_at", "kafka_time"), lambda of: _days_between(of, "reported_at", "kafka_time")
    ),
}


def available(own: Iterable[str]) -> frozenset[str]:
    """The columns that a rule may name on rows that have the columns `own`."""
    given = set(own)
    return frozenset(given | {name for name, one in DERIVED.items() if given.issuperset(one.needs)})

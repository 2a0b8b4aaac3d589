"""The lives of reports as rows of numbers, a row for each message, before texts are rendered.

The reports of a day depend only on (seed, city, day). A backfill that is run twice, or over an overlapping range,
therefore sends the same messages under the same event_ids.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipelines.sources.simulator.bad import KINDS as BAD_KINDS
from pipelines.sources.simulator.model import DAY_MS, HOUR_MS, MAX_STEPS, CityModel, Course, seeded, status_number
from pipelines.sources.simulator.odd import KINDS as ODD_KINDS

Rows = NDArray[np.void]

# A message. Times are in ms since the epoch (UTC); `due` is 0 if it is not given. `origin`: index into the list of
# report-id prefixes of the run; `number`: number of the report under that prefix. `true` and `coded`: indexes into the
# list of types (`coded` -1: without a code); `person`: the type set by a person, or -1. `draw`: the random number of
# the report, for its text and optional fields. `bad`: index into the kinds of bad or odd messages, -1 if good.
ROW = np.dtype(
    [
        ("sent", "i8"), ("updated", "i8"), ("reported", "i8"), ("due", "i8"), ("hi", "u8"), ("lo", "u8"),
        ("draw", "u8"), ("origin", "i4"), ("number", "i4"), ("grid", "i4"), ("true", "i1"), ("coded", "i1"),
        ("person", "i1"), ("status", "i1"), ("source", "i1"), ("severity", "i1"), ("satisfaction", "i1"),
        ("kind", "i1"), ("step", "i1"), ("bad", "i1"),
    ]
)  # fmt: skip

GOOD, DUPLICATE, LATE, CORRECTION, BAD, ODD = range(6)
KINDS = ("good", "duplicate", "late", "correction", "bad", "odd")
LATE_MS = 10 * 60_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# The mean of log(handling time / limit) is -z x sigma, so that the share `within_limit` is below the limit.
_Z = {0.80: 0.8416, 0.85: 1.0364, 0.88: 1.1750, 0.90: 1.2816, 0.95: 1.6449}


@dataclass(frozen=True)
class Surge:
    """A type that rises in an area: `counts` additional reports on each day from `first` on.

    area: code of a grid, town or county. grids: its grids, as indexes in the model. kind: index of the type.
    """

    area: str
    grids: tuple[int, ...]
    kind: int
    first: date
    counts: tuple[int, ...]

    def on(self, day: date) -> int:
        after = (day - self.first).days
        return self.counts[after] if 0 <= after < len(self.counts) else 0


def surges(model: CityModel, last: date) -> tuple[Surge, ...]:
    """Surges in four grids, two towns and a county, over the three days up to `last`."""
    rng, levels = seeded(model.seed, model.code, "surges"), [(12, (6, 10, 16))] * 4 + [(9, (30, 60, 90))] * 2
    planned = []
    for digits, counts in [*levels, (6, (60, 120, 180))]:
        area = model.grids[int(rng.integers(len(model.grids)))].grid_code[:digits]
        inside = tuple(i for i, grid in enumerate(model.grids) if grid.grid_code.startswith(area))
        kind = int(rng.integers(len(model.codes) - 1))  # without the last: 999, other
        planned.append(Surge(area, inside, kind, last - timedelta(days=len(counts) - 1), counts))
    return tuple(planned)


@dataclass(frozen=True)
class Disorder:
    """Disorder of the sending, as shares of the good messages.

    late: sent ten minutes to three days late, or after the message that follows. odd: accepted with a warning.
    """

    duplicate: float = 0.02
    late: float = 0.015
    bad: float = 0.005
    odd: float = 0.0


def midnight_ms(day: date, timezone: str) -> int:
    """The beginning of a local day, in ms since the epoch."""
    return int(datetime.combine(day, time(), ZoneInfo(timezone)).timestamp() * 1000)


def day_start_times(model: CityModel, day: date, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` times of a local day, distributed over the hours as in the profile, ascending; ms since the epoch."""
    hours = np.array(model.profile.hour_weights)
    start, end = (midnight_ms(day + timedelta(n), model.timezone) for n in (0, 1))
    hour = rng.choice(24, count, p=hours / hours.sum())
    moment = start + hour * HOUR_MS + rng.integers(0, HOUR_MS, count)
    return np.sort(np.minimum(moment, end - 1))  # a day of 23 hours has no 24th


def day_count(model: CityModel, day: date, per_grid: float, rng: np.random.Generator) -> int:
    """The number of reports of a day: Poisson with mean load x weekday factor."""
    expected = per_grid * len(model.grids) * model.profile.weekday_factors[day.weekday()]
    return int(rng.poisson(expected))


def births(model: CityModel, rng: np.random.Generator, reported: NDArray[np.int64], surge: Surge | None = None) -> Rows:
    """The first message of each new report."""
    n, shares = len(reported), model.profile.shares
    rows = np.zeros(n, ROW)
    rows["reported"] = rows["updated"] = reported
    rows["number"] = np.arange(n)
    rows["draw"] = rng.integers(0, 2**63, n, dtype=np.uint64)
    rows["grid"] = rng.choice(surge.grids, n) if surge else rng.choice(len(model.grids), n, p=model.weights)
    rows["true"] = surge.kind if surge else rng.choice(len(model.codes), n, p=model.type_weights)
    other = rng.integers(0, len(model.codes), n)
    coded = np.where(rng.random(n) < shares.miscoded, other, rows["true"])
    rows["coded"] = np.where(rng.random(n) < shares.own_code, coded, -1)
    rows["person"] = rows["bad"] = -1
    cumulated = np.cumsum(model.source_weights, axis=1)[rows["true"]]
    rows["source"] = np.minimum((rng.random(n)[:, None] > cumulated).sum(axis=1), cumulated.shape[1] - 1)
    rows["severity"] = np.clip(model.severities[rows["true"]] + rng.choice([-1, 0, 0, 0, 1], n), 1, 4)
    given = rng.random(n) < shares.due_given
    rows["due"] = np.where(given, reported + model.limits_ms[rows["true"]], 0)
    return rows


def lives(model: CityModel, rng: np.random.Generator, first: Rows, key: tuple[int, int]) -> Rows:
    """All messages of the reports in `first`, report by report, with their event ids."""
    course = rng.choice(len(model.profile.courses), len(first), p=_shares(model.profile.courses))
    status, parts = _course_table(model.profile.courses)
    n = len(first)
    handling = model.limits_ms[first["true"]] * np.exp(
        rng.normal(0, model.profile.handling_sigma, n) + model.slowness[first["grid"]] - _shift(model)
    )
    gaps = np.diff(parts[course], axis=1, prepend=0) * handling[:, None] * rng.uniform(0.7, 1.3, (n, MAX_STEPS))
    gaps = np.where(np.arange(MAX_STEPS) == 0, 0, np.maximum(gaps, 1000))
    happens = status[course] >= 0
    report, step = np.nonzero(happens)
    rows = first[report]
    rows["step"] = step
    rows["status"] = status[course][happens]
    rows["updated"] += np.cumsum(gaps, axis=1)[happens].astype(np.int64)
    _satisfy(model, rng, rows)
    _correct(model, rng, rows)
    name_events(rows, key)
    rows["sent"] = rows["updated"] + rng.integers(50, 5000, len(rows))
    return rows


def _shares(courses: tuple[Course, ...]) -> NDArray[np.float64]:
    shares = np.array([course.share for course in courses])
    return np.asarray(shares / shares.sum())


@cache
def _course_table(courses: tuple[Course, ...]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Status (-1: none) and part of the handling time, by course and step."""
    status, parts = np.full((len(courses), MAX_STEPS), -1, np.int8), np.zeros((len(courses), MAX_STEPS))
    for row, course in enumerate(courses):
        for step, (name, part) in enumerate(course.steps):
            status[row, step], parts[row, step] = status_number(name), part
    return status, parts


def _shift(model: CityModel) -> float:
    nearest = min(_Z, key=lambda share: abs(share - model.profile.within_limit))
    return _Z[nearest] * model.profile.handling_sigma


def _satisfy(model: CityModel, rng: np.random.Generator, rows: Rows) -> None:
    """Satisfaction after closing, for a share of the reports; lower after late handling."""
    closed = rows["status"] == status_number("closed")
    asked = closed & (rng.random(len(rows)) < model.profile.shares.satisfaction)
    overdue = rows["updated"] > rows["reported"] + model.limits_ms[rows["true"]]
    mark = np.clip(np.round(rng.normal(np.where(overdue, 3.0, 4.3), 0.9)), 1, 5)
    rows["satisfaction"] = np.where(asked, mark, 0)


def _correct(model: CityModel, rng: np.random.Generator, rows: Rows) -> None:
    """From their second message on, some reports bear a type set by a person, some another grid."""
    shares, reports = model.profile.shares, rows["number"]
    size = int(reports.max()) + 1 if len(rows) else 0
    retyped = (rng.random(size) < shares.retyped)[reports] & (rows["step"] >= 1)
    moved = (rng.random(size) < shares.moved)[reports] & (rows["step"] >= 1)
    rows["person"] = np.where(retyped, rows["true"], -1)
    shift = rng.integers(1, min(len(model.grids), 6), size)[reports] if size else 0
    rows["grid"] = np.where(moved, (rows["grid"] + shift) % len(model.grids), rows["grid"])
    corrected = (retyped | moved) & (rows["step"] == 1)
    rows["kind"] = np.where(corrected, CORRECTION, GOOD)
    tied = corrected & (rng.random(len(rows)) < shares.tied)
    rows["updated"] = np.where(tied, np.roll(rows["updated"], 1), rows["updated"])


def name_events(rows: Rows, key: tuple[int, int], salt: int = 0) -> None:
    """Event ids from (key, report, step, salt): a UUID of version 8 (RFC 9562, custom), by splitmix64."""
    place = rows["number"].astype(np.uint64) * np.uint64(64) + rows["step"].astype(np.uint64) + np.uint64(salt * 16)
    hi, lo = _mix(place * _GOLDEN + np.uint64(key[0])), _mix((place + np.uint64(1)) * _GOLDEN ^ np.uint64(key[1]))
    rows["hi"] = (hi & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x8000)
    rows["lo"] = (lo & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def disturb(rows: Rows, rng: np.random.Generator, disorder: Disorder, key: tuple[int, int]) -> Rows:
    """The messages with some of them late, and with exact resends, bad and odd messages added."""
    rows = _delay(rows, rng, disorder.late)
    spoiled = _spoiled(rows, rng, disorder.bad, BAD, len(BAD_KINDS), key)
    resent = _resent(rows, rng, disorder.duplicate)
    return np.concatenate([rows, resent, spoiled, _spoiled(rows, rng, disorder.odd, ODD, len(ODD_KINDS), key)])


def _delay(rows: Rows, rng: np.random.Generator, share: float) -> Rows:
    late = rng.random(len(rows)) < share
    delay = np.exp(rng.uniform(np.log(LATE_MS), np.log(3 * DAY_MS), len(rows))).astype(np.int64)
    followed = np.append(rows["number"][1:] == rows["number"][:-1], False)
    behind = np.roll(rows["sent"], -1) + 10_000  # just after the message that followed it
    overtaken = followed & (rng.random(len(rows)) < 0.5)
    late_at = np.where(overtaken, np.maximum(behind, rows["updated"] + LATE_MS), rows["updated"] + delay)
    rows["sent"] = np.where(late, late_at, rows["sent"])
    rows["kind"] = np.where(late & (rows["kind"] == GOOD), LATE, rows["kind"])
    return rows


def _resent(rows: Rows, rng: np.random.Generator, share: float) -> Rows:
    """Resends in the same second, an hour later, a day later: the same bytes under the same event_id."""
    again = rows[rng.random(len(rows)) < share]
    again["sent"] += rng.choice([300, 400, HOUR_MS, DAY_MS], len(again))
    again["kind"] = DUPLICATE
    return again


def _spoiled(rows: Rows, rng: np.random.Generator, share: float, kind: int, ways: int, key: tuple[int, int]) -> Rows:
    """Copies of messages under ids of their own, to be made bad or odd when they are rendered."""
    if not share:
        return rows[:0]
    copies = rows[rng.random(len(rows)) < share]
    copies["sent"] += rng.integers(0, 2000, len(copies))
    copies["bad"] = rng.integers(0, ways, len(copies))
    copies["kind"] = kind
    name_events(copies, key, salt=1 if kind == BAD else 2)
    return copies


def now_ms() -> int:
    """The current time in ms since the epoch."""
    return int(datetime.now(UTC).timestamp() * 1000)

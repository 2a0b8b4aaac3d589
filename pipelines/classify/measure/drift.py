"""Drift: whether today's reports still look like those of the first weeks of the model.

The reference is the first 14 days on which this version of the model answered, read from `events`.
It is not the training text, whose types are balanced on purpose and whose shares say nothing about
a city's traffic. Each version has its own reference, because another model has other confidences.
It is compared with the last 7 full days; both windows are whole weeks, because weekends differ.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import log

from clickhouse_connect.driver.client import Client

from pipelines.services.queries import query_text

WARN, ALARM = 0.1, 0.25
"""Siddiqi, Credit Risk Scorecards (2006): below .1 no change, .1 to .25 some, above .25 a large
one.
"""
LEAST = 2000
"""Fewest reports in a window. The PSI of two samples of the same population is about chi-square
(bins - 1) times (1/n + 1/m) (Yurdakul 2018): with 33 types and 2,000 reports in both, 99 of 100
values are below .054, well under `WARN`."""
REFERENCE_DAYS, DAYS = 14, 7
_FLOOR = 1e-4  # share of an empty bin, because the logarithm of 0 is undefined


class DriftState(StrEnum):
    """The verdict on a drift."""

    STEADY = "steady"
    WARN = "warn"
    ALARM = "alarm"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Window:
    """Reports of the days `first` to `last` (None if there are none), counted by tenth of
    confidence (0..9) and by type.
    """

    first: date | None = None
    last: date | None = None
    confidence: Mapping[int, int] = field(default_factory=dict)
    types: Mapping[int, int] = field(default_factory=dict)

    @property
    def reports(self) -> int:
        return sum(self.confidence.values())


@dataclass(frozen=True)
class Drift:
    """Population stability indices of a model version; None if a window has too few reports."""

    version: str
    reference: Window
    current: Window
    confidence: float | None
    types: float | None

    @property
    def state(self) -> DriftState:
        if self.confidence is None or self.types is None:
            return DriftState.TOO_FEW
        worst = max(self.confidence, self.types)
        if worst >= ALARM:
            return DriftState.ALARM
        return DriftState.WARN if worst >= WARN else DriftState.STEADY


def psi(reference: Mapping[int, int], current: Mapping[int, int]) -> float:
    """Population stability index: the sum over bins of (current - reference) x ln(current /
    reference), in shares. Both must have counts.
    """
    bins = reference.keys() | current.keys()
    before, after = _shares(reference, bins), _shares(current, bins)
    return sum((after[bin_] - before[bin_]) * log(after[bin_] / before[bin_]) for bin_ in bins)


def _shares(counts: Mapping[int, int], bins: Set[int]) -> dict[int, float]:
    total = sum(counts.values())
    return {bin_: max(counts.get(bin_, 0) / total, _FLOOR) for bin_ in bins}


def judged(version: str, reference: Window, current: Window, least: int = LEAST) -> Drift:
    """Compare two windows; without indices if one of them has fewer than `least` reports."""
    if min(reference.reports, current.reports) < least:
        return Drift(version, reference, current, None, None)
    confidence = round(psi(reference.confidence, current.confidence), 4)
    types = round(psi(reference.types, current.types), 4)
    return Drift(version, reference, current, confidence, types)


def measure_drift(client: Client, version: str, today: date, least: int = LEAST) -> Drift:
    """Drift of a model version up to yesterday. A day of the reference never counts as current."""
    scope = {
        "version": version,
        "reference_days": REFERENCE_DAYS,
        "days": DAYS,
        "today": today,
    }
    rows = list(client.query(query_text("classify/measure/drift.sql"), scope).named_results())
    reference, current = (_window([row for row in rows if row["window"] == name]) for name in ("reference", "current"))
    return judged(version, reference, current, least)


def _window(rows: list[dict[str, object]]) -> Window:
    if not rows:
        return Window()
    kinds: dict[str, dict[int, int]] = {"confidence": {}, "type": {}}
    for row in rows:
        kinds[str(row["kind"])][int(str(row["bin"]))] = int(str(row["reports"]))
    first, last = min(str(row["first"]) for row in rows), max(str(row["last"]) for row in rows)
    days = date.fromisoformat(first), date.fromisoformat(last)
    return Window(*days, kinds["confidence"], kinds["type"])

"""Drift: do today's reports still look like those of the weeks in which the model began to work?

The reference is the first 14 days on which this version of the model answered, read from `events`. Not the training
text: its types are balanced on purpose, and it was written, so its shares say nothing of a city's traffic. A version
of its own for each reference, since another model has other confidences. Compared are the last 7 full days, whole
weeks on both sides, because weekends differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import log

from clickhouse_connect.driver.client import Client

from pipelines.services.queries import query_text

WARN, ALARM = 0.1, 0.25
"""Siddiqi, Credit Risk Scorecards (2006): below .1 no change, .1 to .25 some, above .25 a large one."""
LEAST = 2000
"""Fewest reports in a window. Between two samples of one population PSI is about chi-square (bins - 1) times
(1/n + 1/m) (Yurdakul 2018): for 33 types and 2,000 on both sides 99 of 100 lie below .054, well under `WARN`."""
REFERENCE_DAYS, DAYS = 14, 7
_FLOOR = 1e-4  # share of an empty bin: the logarithm needs one


class DriftState(StrEnum):
    """What is to be thought of it."""

    STEADY = "steady"
    WARN = "warn"
    ALARM = "alarm"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Window:
    """`counts`: reports by bin, of confidence (tenths 0..9) and of type. Days are None where there are no reports."""

    first: date | None = None
    last: date | None = None
    confidence: Mapping[int, int] = field(default_factory=dict)
    types: Mapping[int, int] = field(default_factory=dict)

    @property
    def reports(self) -> int:
        return sum(self.confidence.values())


@dataclass(frozen=True)
class Drift:
    """Population stability of one model version; indices are None where a window has too few reports."""

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
        return DriftState.ALARM if worst >= ALARM else DriftState.WARN if worst >= WARN else DriftState.STEADY


def psi(reference: Mapping[int, int], current: Mapping[int, int]) -> float:
    """Population stability index: sum over bins of (current - reference) x ln(current / reference), in shares. Both
    must have counts.
    """
    one, two = sum(reference.values()), sum(current.values())
    total = 0.0
    for bin_ in reference.keys() | current.keys():
        before, after = (max(part.get(bin_, 0) / size, _FLOOR) for part, size in ((reference, one), (current, two)))
        total += (after - before) * log(after / before)
    return total


def judged(version: str, reference: Window, current: Window, least: int = LEAST) -> Drift:
    """Compare two windows; with fewer than `least` reports in one of them nothing is said."""
    if min(reference.reports, current.reports) < least:
        return Drift(version, reference, current, None, None)
    confidence = round(psi(reference.confidence, current.confidence), 4)
    return Drift(version, reference, current, confidence, round(psi(reference.types, current.types), 4))


def measure_drift(client: Client, version: str, today: date, least: int = LEAST) -> Drift:
    """Drift of a model version up to yesterday. Days of the reference never count as current ones too."""
    scope = {"version": version, "reference_days": REFERENCE_DAYS, "days": DAYS, "today": today}
    rows = list(client.query(query_text("classify/measure/drift.sql"), scope).named_results())
    reference, current = (_window([row for row in rows if row["window"] == name]) for name in ("reference", "current"))
    return judged(version, reference, current, least)


def _window(rows: list[dict[str, object]]) -> Window:
    if not rows:
        return Window()
    kinds: dict[str, dict[int, int]] = {"confidence": {}, "type": {}}
    for row in rows:
        kinds[str(row["kind"])][int(str(row["bin"]))] = int(str(row["reports"]))
    days = [(str(row["first"]), str(row["last"])) for row in rows]
    first, last = min(one for one, _ in days), max(other for _, other in days)
    return Window(date.fromisoformat(first), date.fromisoformat(last), kinds["confidence"], kinds["type"])

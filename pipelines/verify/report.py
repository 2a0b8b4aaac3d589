"""What a verification found: checks with figures, and findings that say what is wrong and where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CheckState = Literal["holds", "warns", "fails", "skipped"]
SHOWN = 20  # examples listed with a finding


@dataclass(frozen=True)
class ProofFinding:
    """One thing that is wrong (`fails`) or worth a look (`warns`), found `count` times, with up to `SHOWN` places."""

    state: Literal["warns", "fails"]
    zh: str
    en: str
    count: int
    examples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Check:
    """One question, its figures, and what was found; `skipped` says why it was not asked (zh, en)."""

    name: str
    zh: str
    en: str
    figures: Mapping[str, int | float | str] = field(default_factory=dict)
    findings: tuple[ProofFinding, ...] = ()
    skipped: tuple[str, str] | None = None

    @property
    def state(self) -> CheckState:
        if any(finding.state == "fails" for finding in self.findings):
            return "fails"
        if self.findings:
            return "warns"
        return "skipped" if self.skipped else "holds"


@dataclass(frozen=True)
class VerifyReport:
    """The verdict over one topic and one database."""

    topic: str
    topic_id: str
    database: str
    quick: bool
    checks: tuple[Check, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Nothing that was checked is wrong. What was skipped is named in the checks."""
        return all(check.state != "fails" for check in self.checks)

    def check(self, name: str) -> Check:
        """The check called `name`. Raises KeyError when there is none."""
        return next((check for check in self.checks if check.name == name), None) or _unknown(name)

    def document(self) -> dict[str, Any]:
        """As one JSON document."""
        checks = [
            {
                "name": check.name,
                "zh": check.zh,
                "en": check.en,
                "state": check.state,
                "figures": dict(check.figures),
                "findings": check.findings,
                "skipped": check.skipped,
            }
            for check in self.checks
        ]
        return {
            "holds": self.holds,
            "topic": self.topic,
            "topic_id": self.topic_id,
            "database": self.database,
            "quick": self.quick,
            "seconds": round(self.seconds, 3),
            "checks": checks,
        }


def merged(findings: Iterable[ProofFinding]) -> tuple[ProofFinding, ...]:
    """Findings of the same kind as one, with the first `SHOWN` examples of all."""
    kinds: dict[tuple[str, str], ProofFinding] = {}
    for new in findings:
        old = kinds.get((new.state, new.en), ProofFinding(new.state, new.zh, new.en, 0))
        examples = (old.examples + new.examples)[:SHOWN]
        kinds[new.state, new.en] = ProofFinding(new.state, new.zh, new.en, old.count + new.count, examples)
    return tuple(kinds.values())


def _unknown(name: str) -> Check:
    raise KeyError(name)

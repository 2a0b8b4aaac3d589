"""The result of a proof: checks with figures, and findings that say what is wrong and where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CheckState = Literal["holds", "warns", "fails", "skipped"]
SHOWN = 20  # examples listed with a finding


@dataclass(frozen=True)
class ProofFinding:
    """What is wrong (`fails`) or should be looked at (`warns`): how often it was found, and up to `SHOWN` examples."""

    state: Literal["warns", "fails"]
    zh: str
    en: str
    count: int
    examples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Check:
    """A check, its figures and findings. skipped: why it was not made, in Chinese and English."""

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
        """Whether nothing that was checked is wrong; the checks name what was skipped."""
        return all(check.state != "fails" for check in self.checks)

    def check(self, name: str) -> Check:
        """The check called `name`. Raises KeyError when there is none."""
        return {check.name: check for check in self.checks}[name]

    def document(self) -> dict[str, Any]:
        """All of it, as a JSON document."""
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
    """Findings of the same kind joined: their counts added, with the first `SHOWN` examples of all."""
    kinds: dict[tuple[str, str], ProofFinding] = {}
    for new in findings:
        old = kinds.get((new.state, new.en), ProofFinding(new.state, new.zh, new.en, 0))
        examples = (old.examples + new.examples)[:SHOWN]
        kinds[new.state, new.en] = ProofFinding(new.state, new.zh, new.en, old.count + new.count, examples)
    return tuple(kinds.values())

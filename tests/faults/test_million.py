"""1,000,000 messages with every defect, every rule broken a hundred times and more: the stream never stops, and every
figure is the manifest's."""

from collections import Counter
from pathlib import Path

from pipelines.intake.judge import WARNINGS
from pipelines.quality.checkpoint import check
from schemas.expectations import Suite, suites
from schemas.reasons import reasons
from tests.support.proof import require_equal, require_proof, simulate
from tests.support.stack import Stack, Streaming

MESSAGES = 1_000_000
LEAST = 100  # how often each rule is broken
_DISORDER = (
    "--bad-share",
    "0.05",
    "--odd-share",
    "0.01",
    "--duplicate-share",
    "0.03",
    "--late-share",
    "0.03",
)
_WARNED = "SELECT toString(event_id), warnings FROM events FINAL WHERE notEmpty(warnings)"


def test_a_million_messages_with_every_defect(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    with streaming() as process:
        manifest = simulate(stack, tmp_path / "m.jsonl", "--days", "30", "--messages", str(MESSAGES), *_DISORDER)
        stack.wait_until_loaded(900)
        assert process.poll() is None
    refused = manifest.expected_quarantine_by_reason()
    print({"messages": len(manifest.messages), **refused})
    assert refused.keys() == reasons().keys()
    assert min(refused.values()) >= LEAST
    require_equal(stack, manifest)
    _require_warned(stack, manifest.expected_odd() | {"outside_county": manifest.expected_outside()})
    require_proof(stack)
    _require_no_refusable_row_by_great_expectations(stack)


def _require_no_refusable_row_by_great_expectations(stack: Stack) -> None:
    """The rules by which the stream refuses, asked again of every day of `events` by Great Expectations."""
    suite = suites()["events"]
    rules = tuple(rule for rule in suite.of_level("row") if rule.severity == "reject")
    days = [row[0] for row in stack.engineer.query("SELECT DISTINCT day FROM events ORDER BY day").result_rows]
    wanted = [(Suite(suite.table, suite.reads, rules), day) for day in days]
    results = check(stack.settings.clickhouse("engineer"), stack.engineer, wanted)
    print(
        {
            "days": len(days),
            "rows": sum(result.rows for result in results),
            "seconds": sum(result.seconds for result in results),
        }
    )
    assert Counter(finding.outcome for result in results for finding in result.results) == {
        "passed": len(days) * len(rules)
    }


def _require_warned(stack: Stack, planted: dict[str, set[str]]) -> None:
    """Each planted oddity bears its rule; no location but the planted ones lies outside."""
    warned: dict[str, set[str]] = {rule: set() for rule in WARNINGS.rules}
    for event_id, rules in stack.engineer.query(_WARNED).result_rows:
        for rule in rules:
            warned[rule].add(event_id)
    print({rule: (len(planted[rule]), len(numbers)) for rule, numbers in warned.items()})
    assert planted.keys() == warned.keys()
    assert min(map(len, planted.values())) >= LEAST
    assert {rule: numbers - warned[rule] for rule, numbers in planted.items() if numbers - warned[rule]} == {}
    assert warned["outside_county"] == planted["outside_county"]
    assert Counter(map(bool, warned.values())) == {True: len(warned)}

"""200,000 messages with resends, late ones, corrections and bad ones of every kind: every figure equal."""

from collections import Counter
from pathlib import Path

from schemas.reasons import reasons
from tests.support.proof import require_equal, require_proof, simulate
from tests.support.stack import Stack, Streaming

_DISORDER = ("--bad-share", "0.05", "--duplicate-share", "0.05", "--late-share", "0.05")


def test_every_figure_equals_the_manifest(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    with streaming():
        manifest = simulate(stack, tmp_path / "m.jsonl", "--days", "7", "--messages", "200000", *_DISORDER)
        stack.wait_until_loaded(900)
    kinds = Counter(noted.kind.split(":")[0] for noted in manifest.messages)
    print({"messages": len(manifest.messages), **kinds})
    assert len(manifest.messages) == 200_000
    assert set(manifest.expected_quarantine_by_reason()) == set(reasons())
    require_equal(stack, manifest)
    require_proof(stack)

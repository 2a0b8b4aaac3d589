"""The output of `gridstream quarantine settle`, and the commands that point to it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from infra.cli.app import build
from infra.cli.quarantine.read import _render_stats
from infra.cli.quarantine.settle import _as_json, _render
from infra.cli.quarantine.words import WHY_UNKNOWN
from pipelines.quarantine.message import Claim
from pipelines.quarantine.read import RejectCount
from pipelines.quarantine.settle import Settled, Unknown
from pipelines.services.positions import Position


def claim_at(offset: int) -> Claim:
    return Claim("id", 3, offset, 1, 0, 900, UUID(int=1), "", [UUID(int=1)], False)


def printed(renderable: RenderableType) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


@pytest.fixture
def settled() -> Settled:
    unknown = [Unknown(claim_at(20), "retention"), Unknown(claim_at(21), "topic_recreated")]
    return Settled([(claim_at(1), Position(5, 77))], [claim_at(n) for n in range(2, 9)], unknown, recent=4, read=1000)


def test_figures_and_places_are_render(settled: Settled) -> None:
    text = printed(_render(settled, False, 10))
    assert "recorded as replayed: 1 条 messages" in text
    assert "3:1 → 5:77" in text
    assert "waiting again: 7 条 messages" in text
    assert "3:2, 3:3, 3:4, 3:5, 3:6 …" in text
    assert all(WHY_UNKNOWN[why] in text for why in ("retention", "topic_recreated"))
    assert "left as they are" in text
    assert "settle --give-up" in text
    assert "claimed less than 10 minutes ago, left alone: 4" in text
    assert "dry run" not in text


def test_a_dry_run_says_so(settled: Settled) -> None:
    assert printed(_render(settled, True, 10)).count("dry run") == 4


def test_what_is_given_up_is_render(settled: Settled) -> None:
    settled.given_up = True
    text = printed(_render(settled, False, 10))
    assert ("discarded" in text, "left as they are" in text, "--give-up" in text) == (True, False, False)
    assert (_as_json(settled, False)["unknown"], _as_json(settled, False)["given_up"]) == (0, 2)


def test_the_document_has_counts_and_positions(settled: Settled) -> None:
    document: dict[str, Any] = _as_json(settled, True)
    assert [document[name] for name in ("dry_run", "replayed", "released", "unknown", "recent")] == [True, 1, 7, 2, 4]
    assert document["why_unknown"] == {"retention": 1, "topic_recreated": 1}
    assert document["replayed_examples"] == [{"position": "3:1", "found_at": "5:77"}]


def test_nothing_to_settle_is_printed() -> None:
    assert "nothing is left at replaying" in printed(_render(Settled(), False, 10))


def test_a_claim_too_young_is_refused() -> None:
    answer = CliRunner().invoke(build(), ["quarantine", "settle", "--older-than", "2"])
    assert answer.exit_code == 2


@pytest.mark.parametrize(("replaying", "has_hint"), [(0, False), (2, True)])
def test_stats_point_to_it(replaying: int, has_hint: bool) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    group = RejectCount("judge", "unknown_grid", "hotline", "", 5, at, at, 5 - replaying, replaying, 0, 0, 0)
    assert ("gridstream quarantine settle" in printed(_render_stats([group], [group]))) is has_hint

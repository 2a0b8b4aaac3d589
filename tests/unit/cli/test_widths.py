"""Tables of figures have a line for each row on a terminal of 100 columns, with all names of the registry."""

from dataclasses import fields
from datetime import date
from typing import Any, TypeVar

import pytest
from rich.console import Console, RenderableType

from infra.cli.figures import marts, scorecard
from infra.cli.shared import output
from pipelines.clock import now
from pipelines.marts.read import Level, RankBy, RankedArea, RisingType, ScoredArea, ScoredLevel
from schemas.event_types import event_types
from schemas.registry import cities, city, counties, grids, towns
from schemas.sources import sources

NAMES: dict[str, list[tuple[str, str]]] = {
    "city": [(area.zh, area.en) for area in cities()],
    "county": [(area.zh, area.en) for area in counties("330200")],
    "town": [(area.zh, area.en) for area in towns("330200")],
    "grid": [(area.zh, area.en) for area in grids("330200")[::50]],
    "source": [(source.zh, source.en) for source in sources().values()],
}
Row = TypeVar("Row", RankedArea, ScoredArea, RisingType)
# As wide as figures of a month become; 1.0 is 100.0 %.
FIGURES: dict[str, Any] = {
    **dict.fromkeys(("period_start", "period_end", "day"), date(2026, 11, 30)),
    **dict.fromkeys(("rank", "event_type", "recent_days", "days_complete"), 101),
    **dict.fromkeys(
        ("on_time_rate", "validity", "completeness", "timeliness", "duplicate_share", "suspect_share"), 1.0
    ),
    **{"as_of": now(), "running": False, "quality_score": 12.3, "score": 12.3, "ratio": 1.234, "z": 12.34},
}


def row(kind: type[Row], **own: Any) -> Row:
    return kind(**{field.name: own.get(field.name, FIGURES.get(field.name, 123_456)) for field in fields(kind)})


def require_lines(table: RenderableType, names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    output.console.print(table)
    shown = capsys.readouterr().out
    assert [name for name in names if name not in shown] == [], shown[:2000]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "console", Console(width=100, highlight=False))


@pytest.mark.parametrize("by", ["count", "on_time", "per_1000"])
@pytest.mark.parametrize("level", ["county", "town", "grid"])
def test_a_ranking(level: Level, by: RankBy, capsys: pytest.CaptureFixture[str]) -> None:
    parent = {"parent_zh": city("330200").zh, "parent_en": city("330200").en}
    rows = [row(RankedArea, area_zh=zh, area_en=en, **parent) for zh, en in NAMES[level]]
    names = [f"{zh} {en}" for zh, en in NAMES[level]]
    require_lines(marts.render_ranking(rows, level, "month", "engineer", by), names, capsys)


@pytest.mark.parametrize("level", ["city", "source", "county", "town"])
def test_a_scorecard(level: ScoredLevel, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(ScoredArea, area_zh=zh, area_en=en) for zh, en in NAMES[level]]
    names = [f"{zh} {en}" for zh, en in NAMES[level]]
    require_lines(scorecard._render_scorecards(rows, level, "engineer"), names, capsys)


def test_rising_types(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = event_types()
    rows = [row(RisingType, event_type=kind.code, type_zh=kind.zh, type_en=kind.en) for kind in kinds]
    require_lines(marts.render_rising(rows), [f"{kind.code} {kind.zh} {kind.en}" for kind in kinds], capsys)

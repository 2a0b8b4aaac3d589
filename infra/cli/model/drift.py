"""`gridstream model drift`: do reports still look like those of the weeks in which the model began to work?"""

from contextlib import closing
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, AsJson, Column, emit, number, percent, table
from infra.settings import settings
from pipelines.classify.measure.drift import ALARM, LEAST, WARN, Drift, DriftState, Window, measure_drift
from pipelines.classify.modelfile import current_model
from pipelines.clock import now
from pipelines.services.clickhouse import connect
from schemas.event_types import event_type

_TOLD = {
    DriftState.STEADY: "稳定 steady",
    DriftState.WARN: f"有变化 some change (PSI ≥ {WARN})",
    DriftState.ALARM: f"变化很大 a large change (PSI ≥ {ALARM}): retrain, or look at what is new",
    DriftState.TOO_FEW: f"上报太少，不作判断 too few reports to tell: {LEAST} are needed on both sides",
}


def drift(as_json: AsJson = False) -> None:
    """漂移：近 7 天的置信度与类型构成，对模型启用之初的 14 天（PSI）。

    Population stability index of the model's confidence and of type shares: the last 7 full days against the first 14
    days of the model that runs now. Exit code 1 at .25 and above.
    """
    version = current_model(settings().model).version
    with closing(connect(settings().clickhouse("engineer"))) as client:
        found = measure_drift(client, version, now().date())
    emit(asdict(found) | {"state": found.state}, as_json, lambda: _shown(found))
    if found.state is DriftState.ALARM:
        raise SystemExit(EXIT_FAILS)


def _shown(found: Drift) -> RenderableType:
    told = Text(f"{_TOLD[found.state]}    模型 model {found.version}")
    return Group(_windows(found), _types(found), told) if found.reference.reports else told


def _windows(found: Drift) -> RenderableType:
    sides = (("参照 reference", found.reference), ("近 7 天 last 7 days", found.current))
    rows = [(name, f"{side.first or ''} – {side.last or ''}", number(side.reports)) for name, side in sides]
    indices = ("置信度 confidence", found.confidence), ("类型 types", found.types)
    rows += [(f"PSI {name}", "", "-" if value is None else f"{value:.4f}") for name, value in indices]
    return table("漂移 Drift", (Column("项", "what"), Column("日期", "days"), Column("值", "value", True)), rows)


def _types(found: Drift) -> RenderableType:
    """The ten types whose shares moved most."""
    moved = {code: _share(found.current, code) - _share(found.reference, code) for code in found.reference.types}
    most = sorted(moved, key=lambda code: -abs(moved[code]))[:10]
    rows = [
        (f"{code} {event_type(code).zh}", percent(_share(found.reference, code)), percent(_share(found.current, code)))
        for code in most
    ]
    columns = Column("类型", "type"), Column("参照", "reference", True), Column("近 7 天", "last 7 days", True)
    return table("变化最大的类型 What moved most", columns, rows)


def _share(side: Window, code: int) -> float:
    return side.types.get(code, 0) / max(side.reports, 1)

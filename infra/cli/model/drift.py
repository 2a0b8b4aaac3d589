"""`gridstream model drift`: whether reports still look like those of the model's first weeks."""

from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, AsJson, Column, emit, number, percent, table
from infra.settings import settings
from pipelines.classify.measure.drift import (
    ALARM,
    LEAST,
    WARN,
    Drift,
    DriftState,
    Window,
    measure_drift,
)
from pipelines.classify.modelfile import current_model
from pipelines.clock import now
from schemas.event_types import event_type

_VERDICTS = {
    DriftState.STEADY: "稳定 steady",
    DriftState.WARN: f"有变化 some change (PSI ≥ {WARN})",
    DriftState.ALARM: (
        f"变化很大，请重新训练或查看新情况 a large change (PSI ≥ {ALARM}): retrain, or look at what is new"
    ),
    DriftState.TOO_FEW: (f"上报太少，不作判断 too few reports for a verdict: each window needs {LEAST}"),
}


def drift(as_json: AsJson = False) -> None:
    """漂移：近 7 天的置信度与类型构成，对模型启用之初的 14 天（PSI）。

    Population stability index of the model's confidence and of type shares: the last 7 full days
    against the first 14 days of the current model. Exit code 1 at .25 and above.
    """
    version = current_model(settings().model).version
    with settings().client("engineer") as client:
        measured = measure_drift(client, version, now().date())
    emit(asdict(measured) | {"state": measured.state}, as_json, lambda: _render(measured))
    if measured.state is DriftState.ALARM:
        raise SystemExit(EXIT_FAILS)


def _render(measured: Drift) -> RenderableType:
    verdict = Text(f"{_VERDICTS[measured.state]}    模型 model {measured.version}")
    if not measured.reference.reports:
        return verdict
    return Group(_windows_table(measured), _types_table(measured), verdict)


def _windows_table(measured: Drift) -> RenderableType:
    windows = ("参照 reference", measured.reference), ("近 7 天 last 7 days", measured.current)
    indices = ("置信度 confidence", measured.confidence), ("类型 types", measured.types)
    rows = [
        *((name, f"{window.first or ''} – {window.last or ''}", number(window.reports)) for name, window in windows),
        *((f"PSI {name}", "", "-" if value is None else f"{value:.4f}") for name, value in indices),
    ]
    columns = Column("项", "what"), Column("日期", "days"), Column("值", "value", True)
    return table("漂移 Drift", columns, rows)


def _types_table(measured: Drift) -> RenderableType:
    """The ten types whose shares changed most."""
    shares = {
        code: (_share(measured.reference, code), _share(measured.current, code)) for code in measured.reference.types
    }
    most = sorted(shares.items(), key=lambda item: -abs(item[1][1] - item[1][0]))[:10]
    rows = [(f"{code} {event_type(code).zh}", percent(before), percent(after)) for code, (before, after) in most]
    columns = (
        Column("类型", "type"),
        Column("参照", "reference", True),
        Column("近 7 天", "last 7 days", True),
    )
    return table("变化最大的类型 Types that changed most", columns, rows)


def _share(window: Window, code: int) -> float:
    return window.types.get(code, 0) / max(window.reports, 1)

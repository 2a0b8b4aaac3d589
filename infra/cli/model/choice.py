"""`gridstream model compare | promote | card`: which model to run, and what is known about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from clickhouse_connect.driver.exceptions import DatabaseError
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, emit, percent, progress, table
from infra.settings import settings
from pipelines.classify.modelfile import current_model, load_model
from pipelines.errors import GridstreamError

if TYPE_CHECKING:
    from pipelines.classify.measure.compare import Comparison, Side
    from pipelines.classify.training.corpus import Corpus

Challenger = Annotated[Path, typer.Argument(help="挑战者的模型文件 the challenger's model file")]
Champion = Annotated[
    Path | None,
    typer.Option(help="现任的模型文件；默认当前模型 the champion's; default: the current model"),
]

_FAIRNESS = {
    "left out": "未见过留出集 has not seen the holdout",
    "twin": "以同设置、不含留出集的孪生模型测量 measured by a twin trained without the holdout",
    "unknown": "可能见过留出集，得分或偏高 may have seen the holdout: its score may be too good",
}


def compare(challenger: Challenger, champion: Champion = None, as_json: AsJson = False) -> None:
    """现任与挑战者的比较：语料的固定留出集，及近 90 天人工更正（ClickHouse 可达时）。

    Compares two models on the corpus's fixed holdout and, if ClickHouse can be reached, on people's
    corrections of the last 90 days. Changes nothing.
    """
    from pipelines.classify.measure.compare import as_document

    comparison, note = _compared(challenger, champion)
    document = as_document(comparison) | {"note": note}
    emit(document, as_json, lambda: _render_comparison(comparison, note))


def promote(
    file: Challenger,
    at_least: Annotated[
        float,
        typer.Option(
            min=-1,
            max=1,
            help="留出集准确率至少提高多少 least gain in accuracy on the holdout",
        ),
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """启用模型：留出集上不逊于现任才启用；运行中的流在下一微批采用，无须重启。

    Promotes a model if it gains at least --at-least on the holdout. A running stream uses it from
    its next micro-batch on. The replaced model is kept under its version in the same folder. Exit
    code 2: not promoted.
    """
    from pipelines.classify.measure.compare import as_document, install, require_gain

    comparison, note = _compared(file, None)
    require_gain(comparison, at_least)
    current = settings().model
    version, kept = install(file, current)
    document = as_document(comparison) | {
        "note": note,
        "promoted": version,
        "file": current,
        "kept": kept,
    }
    summary = f"已启用 promoted {version}: {current}"
    summary += f"；旧模型 the replaced model: {kept}" if kept else ""
    emit(document, as_json, lambda: Group(_render_comparison(comparison, note), Text(summary)))


def card(
    file: Annotated[
        Path | None,
        typer.Argument(help="模型文件；默认当前模型 model file; default: the current model"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="写到哪个目录；默认主目录的 models/<版本> folder; default: models/<version> in the home folder"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """模型说明卡：Markdown、HTML 与混淆矩阵图。

    Writes a model card as Markdown and HTML: scores of each type, calibration, worst confusions,
    training data and limits, with the confusion matrix as a picture.
    """
    from pipelines.classify.measure.card import write_card
    from pipelines.classify.measure.evidence import evidence
    from pipelines.classify.training.holdout import Data

    model = load_model(file) if file else current_model(settings().model)
    with progress("测量模型 measuring the model", None, as_json):
        answers = evidence(model, Data(twins=settings().model.parent))
    files = write_card(model, out or settings().home / "models" / model.version, answers)
    document = {"version": model.version, "files": files}
    emit(document, as_json, lambda: Text("\n".join(map(str, files))))


def _compared(challenger: Path, champion: Path | None) -> "tuple[Comparison, str]":
    """The comparison, and a note on the corrections for people."""
    from pipelines.classify.measure.compare import compare as compare_models
    from pipelines.classify.training.holdout import Data

    current = settings().model
    champion_model = load_model(champion) if champion else current_model(current)
    challenger_model = load_model(challenger)
    corrected, note = _corrections()
    with progress("测量两个模型 measuring both models", None):
        data = Data(twins=current.parent)
        return compare_models(champion_model, challenger_model, data, corrected), note


def _corrections() -> "tuple[Corpus | None, str]":
    """People's corrections and how many there are; None and the reason if they cannot be read."""
    from pipelines.classify.measure.compare import corrections

    try:
        with settings().client("engineer") as client:
            corrected = corrections(client)
    except (GridstreamError, DatabaseError) as error:
        return None, f"没有人工更正 without corrections: {str(error).splitlines()[0][:200]}"
    return corrected, f"{len(corrected.labels)} 条人工更正 corrections"


def _render_comparison(comparison: "Comparison", note: str) -> RenderableType:
    columns = (
        Column("模型", "model"),
        Column("版本", "version"),
        Column("准确率", "accuracy", True),
        Column("前三", "top 3", True),
        Column("宏 F1", "macro F1", True),
        Column("校准误差", "calibration", True),
        Column("覆盖", "coverage", True),
        Column("更正", "corrections", True),
        Column("留出集", "holdout"),
    )
    rows = [
        _row("现任 champion", comparison.champion),
        _row("挑战者 challenger", comparison.challenger),
    ]
    gain = f"留出集准确率之差 gain on the holdout: {comparison.gain:+.2%}    {note}"
    return Group(table("模型比较 models", columns, rows), Text(gain))


def _row(name: str, side: "Side") -> tuple[Any, ...]:
    scores, on_corrections = side.holdout, side.corrections
    return (
        name,
        side.version,
        percent(scores.accuracy),
        percent(scores.top3),
        percent(scores.macro_f1),
        f"{scores.calibration_error:.3f}",
        percent(scores.coverage),
        percent(on_corrections.accuracy if on_corrections else None),
        _FAIRNESS[side.fairness],
    )

"""`gridstream model compare | promote | card`: which model is to run, and what is known about it."""

from contextlib import closing
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
from pipelines.services.clickhouse import connect

if TYPE_CHECKING:
    from pipelines.classify.measure.compare import Comparison, Side
    from pipelines.classify.training.corpus import Corpus

Challenger = Annotated[Path, typer.Argument(help="挑战者的模型文件 the challenger's model file")]
Champion = Annotated[Path | None, typer.Option(help="现任的模型文件 the champion's; default: the one that runs now")]

_FAIRNESS = {
    "left out": "未见过留出集 has not seen the holdout",
    "twin": "以同设置、不含留出集的孪生模型测量 measured by a twin trained without the holdout",
    "unknown": "可能见过留出集，得分或偏高 may have seen the holdout: its score may be too good",
}


def compare(challenger: Challenger, champion: Champion = None, as_json: AsJson = False) -> None:
    """现任与挑战者的比较：语料的固定留出集，及近 90 天人工更正（ClickHouse 可达时）。

    Compares two models on the corpus's fixed holdout, and on what people corrected in the last 90 days when
    ClickHouse can be reached. Nothing is changed.
    """
    from pipelines.classify.measure.compare import as_document

    found, note = _compared(challenger, champion)
    emit(as_document(found) | {"note": note}, as_json, lambda: _shown(found, note))


def promote(
    file: Challenger,
    at_least: Annotated[
        float, typer.Option(min=-1, max=1, help="留出集准确率至少提高多少 least gain in accuracy on the holdout")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """启用模型：留出集上不逊于现任才启用；运行中的流在下一微批采用，无须重启。

    Promotes a model that gains at least as much on the holdout as asked for. A running stream takes it with its next
    micro-batch; the model before it is kept under its version in the same folder. Exit code 2: not promoted.
    """
    from pipelines.classify.measure.compare import as_document, install, require_gain

    found, note = _compared(file, None)
    require_gain(found, at_least)
    version, kept = install(file, settings().model)
    document = as_document(found) | {"note": note, "promoted": version, "file": settings().model, "kept": kept}
    told = f"已启用 promoted {version}: {settings().model}" + (f"；旧模型 the one before: {kept}" if kept else "")
    emit(document, as_json, lambda: Group(_shown(found, note), Text(told)))


def card(
    file: Annotated[Path | None, typer.Argument(help="模型文件 model file; default: the one that runs now")] = None,
    out: Annotated[
        Path | None, typer.Option(help="写到哪个目录 folder; default: models/<version> in the home folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """模型说明卡：Markdown、HTML 与混淆矩阵图。

    Writes a model card: scores of each type, calibration, worst confusions, training data, limits, as Markdown and
    HTML, with the confusion matrix as a picture.
    """
    from pipelines.classify.measure.card import write_card
    from pipelines.classify.training.holdout import Data

    model = load_model(file) if file else current_model(settings().model)
    with progress("测量模型 measuring the model", None, as_json):
        data = Data(twins=settings().model.parent)
        written = write_card(model, data, out or settings().home / "models" / model.version)
    emit({"version": model.version, "files": written}, as_json, lambda: Text("\n".join(map(str, written))))


def _compared(challenger: Path, champion: Path | None) -> "tuple[Comparison, str]":
    from pipelines.classify.measure.compare import compare as compared
    from pipelines.classify.training.holdout import Data

    now = load_model(champion) if champion else current_model(settings().model)
    theirs = load_model(challenger)
    corrected, note = _corrections()
    with progress("测量两个模型 measuring both models", None):
        return compared(now, theirs, Data(twins=settings().model.parent), corrected), note


def _corrections() -> "tuple[Corpus | None, str]":
    """Corrections, or None and why there are none."""
    from pipelines.classify.measure.compare import corrections

    try:
        with closing(connect(settings().clickhouse("engineer"))) as client:
            found = corrections(client)
    except (GridstreamError, DatabaseError) as error:
        return None, f"没有人工更正 without corrections: {str(error).splitlines()[0][:200]}"
    return found, f"{len(found.labels)} 条人工更正 corrections"


def _shown(found: "Comparison", note: str) -> RenderableType:
    sides = (("现任 champion", found.champion), ("挑战者 challenger", found.challenger))
    columns = (
        *(Column("模型", "model"), Column("版本", "version")),
        *(Column("准确率", "accuracy", True), Column("前三", "top 3", True), Column("宏 F1", "macro F1", True)),
        *(
            Column("校准误差", "calibration", True),
            Column("覆盖", "coverage", True),
            Column("更正", "corrections", True),
        ),
        Column("留出集", "holdout"),
    )
    gain = Text(f"留出集准确率之差 gain on the holdout: {found.gain:+.2%}    {note}")
    return Group(table("模型比较 models", columns, [_row(*side) for side in sides]), gain)


def _row(name: str, side: "Side") -> tuple[Any, ...]:
    scores, said = side.holdout, side.corrections
    return (
        *(name, side.version, percent(scores.accuracy), percent(scores.top3), percent(scores.macro_f1)),
        *(f"{scores.calibration_error:.3f}", percent(scores.coverage), percent(said.accuracy if said else None)),
        _FAIRNESS[side.fairness],
    )

"""`gridstream model`: train the text model, measure it, show a model file.

The other commands are in `choice`, `drift` and `suspect`.
"""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.model.choice import card, compare, promote
from infra.cli.model.drift import drift
from infra.cli.model.suspect import train_suspect
from infra.cli.shared.output import AsJson, Column, cell, emit, number, percent, progress, table
from infra.settings import settings
from pipelines.classify.model import Model
from pipelines.classify.modelfile import SHIPPED, load_model, save_model
from pipelines.errors import UserFault
from schemas.event_types import event_type

if TYPE_CHECKING:
    from pipelines.classify.training.evaluate import AtThreshold, Confusion
    from pipelines.classify.training.near_copies import NearCopy


class DataSet(StrEnum):
    """What `evaluate` measures on."""

    CORPUS = "corpus"
    TAIDI = "taidi"
    SODIC = "sodic"
    SUSPECT = "suspect"


def train(
    out: Annotated[
        Path | None,
        typer.Option(
            help="写到哪里；默认主目录的 models/<版本>.npz"
            " where to write; default: models/<version>.npz in the home folder"
        ),
    ] = None,
    c: Annotated[float, typer.Option(min=0.001, max=1000, help="正则强度之倒数 inverse regularisation")] = 0.5,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="不用留出集训练 train without the holdout")] = False,
    as_json: AsJson = False,
) -> None:
    """用语料训练模型，约半分钟；同样的语料得到同样的模型。

    Trains a model on the corpus, in about half a minute; the same corpus gives the same model. Its
    scores are of held-out texts.
    """
    from pipelines.classify.training.evaluate import confusions
    from pipelines.classify.training.holdout import Data, train_without_holdout
    from pipelines.classify.training.linear import Settings
    from pipelines.classify.training.near_copies import near_copies
    from pipelines.classify.training.train import train as train_model

    data, chosen = Data(), Settings(c=c)
    with progress("训练 training", chosen.folds + 1, as_json) as done:
        if leave_out:
            training = train_without_holdout(data, chosen, done)
        else:
            training = train_model(data.reports, chosen, data.keywords, done=done)
    model = training.model
    path = out or settings().home / "models" / f"{model.version}.npz"
    save_model(model, path)
    facts = _facts(model) | {"file": path}
    worst, copies = confusions(training.truth, training.answers[:, 0]), near_copies(data.reports)
    emit(
        facts | {"confusions": worst, "near_copies": copies},
        as_json,
        lambda: Group(_facts_table(facts), _confusions_table(worst), _render_copies(copies)),
    )


def evaluate(
    data: Annotated[DataSet, typer.Option(help="数据集 data set")] = DataSet.CORPUS,
    as_json: AsJson = False,
) -> None:
    """测量分类引擎：自有语料（交叉验证，附各阈值的覆盖率与准确率），或 GRIDSTREAM_DATA 中的公开数据集 taidi、sodic。

    Measures the engine: on the corpus by cross-validation, with coverage and accuracy by threshold,
    or on a public data set under GRIDSTREAM_DATA, trained and tested on that set's own split.
    `suspect`: the shipped suspect head on all of sodic, on none of which it was trained.
    """
    if data is DataSet.CORPUS:
        scores, thresholds = _cross_validated()
        emit(
            {"data": data.value, **scores, "thresholds": thresholds},
            as_json,
            lambda: Group(_scores_table(data, scores), _thresholds_table(thresholds)),
        )
    else:
        scores = _on_public_data(data)
        emit({"data": data.value, **scores}, as_json, lambda: _scores_table(data, scores))


def show(
    file: Annotated[
        Path,
        typer.Argument(help="模型文件；默认随附的模型 model file; default: the shipped model"),
    ] = SHIPPED,
    as_json: AsJson = False,
) -> None:
    """显示模型文件的内容：版本、语料指纹、设置、得分。

    Shows what is in a model file: version, fingerprint of the training data, settings, measured
    scores.
    """
    facts = _facts(load_model(file)) | {"file": file}
    emit(facts, as_json, lambda: _facts_table(facts))


def _cross_validated() -> "tuple[dict[str, Any], list[AtThreshold]]":
    """Scores of the engine on the corpus, and coverage and accuracy by threshold."""
    from pipelines.classify.training.corpus import corpus, descriptions
    from pipelines.classify.training.evaluate import by_threshold
    from pipelines.classify.training.linear import Settings
    from pipelines.classify.training.train import train as train_model

    with progress("交叉验证 cross-validation", Settings().folds + 1) as done:
        training = train_model(corpus(), Settings(), descriptions(), done=done)
    scores = training.scores
    answers = training.truth, training.answers, training.confidence
    return asdict(scores), by_threshold(*answers, scores.threshold)


def _on_public_data(data: DataSet) -> dict[str, Any]:
    from pipelines.classify.measure.public_data import sodic, suspect_on_sodic, taidi
    from pipelines.classify.suspect import load_head

    folder = settings().data
    if folder is None:
        raise UserFault(
            "请把 GRIDSTREAM_DATA 设为公开数据集（taidi、sodic）的目录"
            " Set GRIDSTREAM_DATA to the folder that holds the public data sets (taidi, sodic)."
        )
    if data is DataSet.SUSPECT:
        return asdict(suspect_on_sodic(load_head(), folder))
    return asdict(taidi(folder) if data is DataSet.TAIDI else sodic(folder))


def _scores_table(data: DataSet, scores: dict[str, Any]) -> RenderableType:
    rows = [("data", data.value), *((name, _figure(value)) for name, value in scores.items())]
    return table("分类测量 classifier", [Column("项", "figure"), Column("值", "value")], rows)


def _thresholds_table(thresholds: "list[AtThreshold]") -> RenderableType:
    columns = (
        Column("阈值", "threshold"),
        Column("覆盖率", "coverage", True),
        Column("准确率", "accuracy", True),
        Column("转人工", "left to people", True),
    )
    rows = [(f"{at.threshold:.2f}", percent(at.coverage), percent(at.accuracy), at.left) for at in thresholds]
    return table("各阈值 by threshold", columns, rows)


def _facts(model: Model) -> dict[str, Any]:
    return {
        "version": model.version,
        "taxonomy": model.taxonomy,
        "classes": len(model.codes),
        "ngrams": len(model.hashes),
        "loaded_bytes": model.nbytes,
        "threshold": model.threshold,
        "temperature": model.temperature,
        "platt": model.platt,
        **model.facts,
    }


def _facts_table(facts: dict[str, Any]) -> RenderableType:
    """Plain facts first, then those of nested objects as `name.field`."""
    flat = [(name, value) for name, value in facts.items() if not isinstance(value, dict)]
    nested = [
        (f"{name}.{field}", value)
        for name, fields in facts.items()
        if isinstance(fields, dict)
        for field, value in fields.items()
    ]
    rows = [(name, _figure(value)) for name, value in flat + nested]
    return table("模型 model", [Column("项", "what"), Column("值", "value")], rows)


def _figure(value: Any) -> str:
    return str(value) if isinstance(value, str | Path | list | tuple | dict) else cell(value)


def _confusions_table(confusions: "list[Confusion]") -> RenderableType:
    columns = [Column("实际", "truth"), Column("回答", "answer"), Column("次数", "count", right=True)]
    rows = [(_named(confusion.truth), _named(confusion.answer), confusion.count) for confusion in confusions]
    return table("最常见的混淆 worst confusions", columns, rows)


def _render_copies(copies: "list[NearCopy]") -> RenderableType:
    if not copies:
        return Text("没有近似重复的语料 no near-copies in the corpus")
    rows = [(pair.jaccard, *map(str, pair.first), *map(str, pair.second)) for pair in copies[:20]]
    columns = [
        Column("相似", "Jaccard"),
        Column("类型", "type"),
        Column("文本", "text"),
        Column("类型", "type"),
        Column("文本", "text"),
    ]
    return table(f"近似重复 near-copies: {number(len(copies))}", columns, rows)


def _named(code: int) -> str:
    kind = event_type(code)
    return f"{code} {kind.zh} {kind.en}"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="文本模型 the text model", no_args_is_help=True)
    for command in (train, evaluate, compare, promote, show, card, drift, train_suspect):
        group.command()(command)
    app.add_typer(group, name="model")

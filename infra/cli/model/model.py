"""`gridstream model`: train the text model, measure it, show what is in a model file; choosing: `model_choice`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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


class DataSet(StrEnum):
    """What `evaluate` measures on."""

    CORPUS = "corpus"
    TAIDI = "taidi"
    SODIC = "sodic"
    SUSPECT = "suspect"


def train(
    out: Annotated[
        Path | None, typer.Option(help="写到哪里 where to write; default: models/<version>.npz in the home folder")
    ] = None,
    c: Annotated[float, typer.Option(min=0.001, max=1000, help="正则强度之倒数 inverse regularisation")] = 0.5,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="不用留出集训练 train without the holdout")] = False,
    as_json: AsJson = False,
) -> None:
    """用语料训练模型，约半分钟；同样的语料得到同样的模型。

    Trains a model on the corpus, in about half a minute; the same corpus gives the same model. Its scores are of
    held-out texts.
    """
    from pipelines.classify.training.evaluate import confusions
    from pipelines.classify.training.holdout import Data, train_without_holdout
    from pipelines.classify.training.linear import Settings
    from pipelines.classify.training.near_copies import near_copies
    from pipelines.classify.training.train import train as fitted

    data, chosen = Data(), Settings(c=c)
    with progress("训练 training", chosen.folds + 1, as_json) as done:
        if leave_out:
            made = train_without_holdout(data, chosen, done)
        else:
            made = fitted(data.reports, chosen, data.keywords, done=done)
    path = out or settings().home / "models" / f"{made.model.version}.npz"
    save_model(made.model, path)
    document = _card(made.model) | {
        "file": path,
        "confusions": confusions(made.truth, made.answers[:, 0]),
        "near_copies": near_copies(data.reports),
    }
    emit(document, as_json, lambda: Group(_facts(document), _confusions(document), _near_copies(document)))


def evaluate(
    data: Annotated[DataSet, typer.Option(help="数据集 data set")] = DataSet.CORPUS, as_json: AsJson = False
) -> None:
    """测量分类引擎：自有语料（交叉验证，附各阈值的覆盖率与准确率），或 GRIDSTREAM_DATA 中的公开数据集 taidi、sodic。

    Measures the engine: on the corpus by cross-validation, with coverage and accuracy by threshold, or on a public
    data set under GRIDSTREAM_DATA, trained and tested on that set's own split. `suspect`: the shipped second head on
    all of sodic, of which it has seen nothing.
    """
    document = {"data": data.value, **_measured(data)}
    emit(document, as_json, lambda: _evaluated(document))


def _evaluated(document: dict[str, Any]) -> RenderableType:
    rows = [(name, _figure(value)) for name, value in document.items() if name != "thresholds"]
    figures = table("分类测量 classifier", [Column("项", "figure"), Column("值", "value")], rows)
    if "thresholds" not in document:
        return figures
    columns = Column("阈值", "threshold"), Column("覆盖率", "coverage", True), Column("准确率", "accuracy", True)
    lines = [
        (f"{at.threshold:.2f}", percent(at.coverage), percent(at.accuracy), at.left) for at in document["thresholds"]
    ]
    return Group(figures, table("各阈值 by threshold", (*columns, Column("转人工", "left to people", True)), lines))


def show(
    file: Annotated[Path, typer.Argument(help="模型文件 model file; default: the shipped one")] = SHIPPED,
    as_json: AsJson = False,
) -> None:
    """显示模型文件的内容：版本、语料指纹、设置、得分。

    Shows what is in a model file: version, training data fingerprint, settings, measured scores.
    """
    document = _card(load_model(file)) | {"file": file}
    emit(document, as_json, lambda: _facts(document))


def _measured(data: DataSet) -> dict[str, Any]:
    from pipelines.classify.measure import public_data
    from pipelines.classify.suspect import load_head
    from pipelines.classify.training.corpus import corpus, descriptions
    from pipelines.classify.training.evaluate import by_threshold
    from pipelines.classify.training.linear import Settings
    from pipelines.classify.training.suspect_train import on_sodic
    from pipelines.classify.training.train import train as fitted

    if data is DataSet.CORPUS:
        with progress("交叉验证 cross-validation", Settings().folds + 1) as done:
            made = fitted(corpus(), Settings(), descriptions(), done=done)
        at = by_threshold(made.truth, made.answers, made.confidence, made.scores.threshold)
        return asdict(made.scores) | {"thresholds": at}
    folder = settings().data
    if folder is None:
        raise UserFault("Set GRIDSTREAM_DATA to the folder that holds the public data sets (taidi, sodic).")
    if data is DataSet.SUSPECT:
        return asdict(on_sodic(load_head(), folder))
    return asdict(public_data.taidi(folder) if data is DataSet.TAIDI else public_data.sodic(folder))


def _card(model: Model) -> dict[str, Any]:
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


def _facts(document: dict[str, Any]) -> RenderableType:
    shown = {name: value for name, value in document.items() if name not in ("confusions", "near_copies")}
    flat = [(name, value) for name, value in shown.items() if not isinstance(value, dict)]
    nested = [
        (f"{one}.{two}", x) for one, value in shown.items() if isinstance(value, dict) for two, x in value.items()
    ]
    columns = [Column("项", "what"), Column("值", "value")]
    return table("模型 model", columns, [(name, _figure(value)) for name, value in flat + nested])


def _figure(value: Any) -> str:
    return str(value) if isinstance(value, str | Path | list | tuple | dict) else cell(value)


def _confusions(document: dict[str, Any]) -> RenderableType:
    columns = [Column("实际", "truth"), Column("回答", "answer"), Column("次数", "count", right=True)]
    rows = [(_named(one.truth), _named(one.answer), one.count) for one in document["confusions"]]
    return table("最常见的混淆 worst confusions", columns, rows)


def _near_copies(document: dict[str, Any]) -> RenderableType:
    found = document["near_copies"]
    if not found:
        return Text("没有近似重复的语料 no near-copies in the corpus")
    rows = [(pair.jaccard, *map(str, pair.first), *map(str, pair.second)) for pair in found[:20]]
    columns = [Column("相似", "Jaccard"), Column("类型"), Column("文本"), Column("类型"), Column("文本")]
    return table(f"近似重复 near-copies: {number(len(found))}", columns, rows)


def _named(code: int) -> str:
    kind = event_type(code)
    return f"{code} {kind.zh} {kind.en}"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="文本模型 the text model", no_args_is_help=True)
    for command in (train, evaluate, compare, promote, show, card, drift, train_suspect):
        group.command()(command)
    app.add_typer(group, name="model")

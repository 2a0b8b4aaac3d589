"""`gridstream model train-suspect`: the second head, which recognises perfunctory reports."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.shared.output import AsJson, Column, emit, table
from infra.settings import settings
from pipelines.classify.modelfile import save_model


def train_suspect(
    out: Annotated[
        Path | None,
        typer.Option(
            help="写到哪里；默认主目录的 models/suspect.npz"
            " where to write; default: models/suspect.npz in the home folder"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """训练“敷衍或不实”模型；同样的语料得到同样的模型。

    Trains the head that recognises perfunctory or false reports; the same corpus gives the same
    model. Its scores are of held-out texts, at a probability of .5. The stream uses the head that
    is shipped with the package.
    """
    from pipelines.classify.training.suspect_train import suspect_corpus, train_head

    head = train_head(suspect_corpus())
    path = out or settings().home / "models" / "suspect.npz"
    save_model(head.model, path)
    facts = {"version": head.model.version, "file": path, **head.model.facts}
    rows = [(name, str(value)) for name, value in facts.items()]
    columns = (Column("项", "what"), Column("值", "value"))
    emit(facts, as_json, lambda: table("存疑模型 suspect", columns, rows))

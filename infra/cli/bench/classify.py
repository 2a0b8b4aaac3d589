"""`gridstream bench classify`: the text model's speed compared with fastText, its memory and
start-up time.
"""

import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, emit, table
from infra.local.services.simulator import gridstream
from infra.settings import settings
from pipelines.classify.measure import fasttext_baseline, speed
from pipelines.classify.modelfile import current_model, load_model

_LINE = b'{"id": 1, "text": "\xe8\xb7\xaf\xe7\x81\xaf\xe4\xb8\x8d\xe4\xba\xae"}\n'


def classify(
    model: Annotated[
        Path | None,
        typer.Option(help="模型文件；默认当前模型 model file; default: the current model"),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="量几次 runs")] = 5,
    against: Annotated[
        bool,
        typer.Option("--fasttext/--no-fasttext", help="与 fastText 比较 compare with fastText"),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """文本模型每核每秒条数（同一次运行中与 fastText 相比）、内存与启动时间；不需要任何服务。

    Texts per second on one core (processor time of one thread), compared with fastText trained on
    the same corpus and given the same texts in the same run; memory and start-up time. Needs no
    services. Reports on stderr if fastText is not installed.
    """
    chosen = load_model(model) if model else current_model(settings().model)
    figures = asdict(speed.measure(chosen, repeats))
    figures["first_answer_seconds"] = _first_answer(model)
    missing = against and not fasttext_baseline.installed()
    if missing:
        sys.stderr.write(f"{fasttext_baseline.MISSING}\n")
    elif against:
        texts = speed.sixty_characters(speed.BATCH)
        versus = fasttext_baseline.against_fasttext(chosen, texts, repeats)
        figures["fasttext"] = asdict(versus)
    emit(figures, as_json, lambda: _render(figures, missing))


def _first_answer(model: Path | None) -> float:
    """Seconds from the start of `gridstream classify` to its end after one text: Python, imports,
    model and kernel.
    """
    options = ["--model", str(model)] if model else []
    start = time.perf_counter()
    command = [sys.executable, gridstream(), "classify", "-", *options]
    subprocess.run(command, input=_LINE, capture_output=True, check=True)  # noqa: S603 - our own command
    return round(time.perf_counter() - start, 2)


def _render(figures: dict[str, Any], missing: bool) -> RenderableType:
    flat = {name: value for name, value in figures.items() if name != "fasttext"}
    flat |= {f"fasttext.{name}": str(value) for name, value in figures.get("fasttext", {}).items()}
    columns = (Column("指标", "figure"), Column("值", "value", True))
    rendered = table("分类 Classifier", columns, flat.items())
    return Group(rendered, Text(fasttext_baseline.MISSING, "bold red")) if missing else rendered

"""`gridstream bench classify`: the text model's speed against fastText's, its memory, its start-up time."""

import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, emit, table
from infra.local.services.simulator import gridstream
from infra.settings import settings
from pipelines.classify.measure import fasttext_baseline, speed
from pipelines.classify.modelfile import current_model, load_model

_LINE = b'{"id": 1, "text": "\xe8\xb7\xaf\xe7\x81\xaf\xe4\xb8\x8d\xe4\xba\xae"}\n'


def classify(
    model: Annotated[Path | None, typer.Option(help="模型文件 model file; default: the one that runs now")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="量几次 runs")] = 5,
    against: Annotated[bool, typer.Option("--fasttext/--no-fasttext", help="与 fastText 比较 compare")] = True,
    as_json: AsJson = False,
) -> None:
    """文本模型每核每秒条数（同一次运行中与 fastText 相比）、内存与启动时间；不需要任何服务。

    Texts a second on one core (processor time of one thread), beside fastText trained on the same corpus and asked the
    same texts in the same run; memory and start-up. Needs no services. Without fastText it says so on stderr.
    """
    chosen = load_model(model) if model else current_model(settings().model)
    found = asdict(speed.measure(chosen, repeats)) | {"first_answer_seconds": _first_answer(model)}
    compared = against and fasttext_baseline.installed()
    if against and not compared:
        sys.stderr.write(f"{fasttext_baseline.MISSING}\n")
    if compared:
        found["fasttext"] = asdict(
            fasttext_baseline.against_fasttext(chosen, speed.sixty_characters(speed.BATCH), repeats)
        )
    emit(found, as_json, lambda: _shown(found, against and not compared))


def _first_answer(model: Path | None) -> float:
    """Seconds from starting `gridstream classify` to its end after one text: Python, imports, model and kernel."""
    chosen = ["--model", str(model)] if model else []
    start = time.perf_counter()
    command = [sys.executable, gridstream(), "classify", "-", *chosen]
    subprocess.run(command, input=_LINE, capture_output=True, check=True)  # noqa: S603 - our own command
    return round(time.perf_counter() - start, 2)


def _shown(found: dict[str, Any], missing: bool) -> Any:
    flat = {name: value for name, value in found.items() if name != "fasttext"}
    flat |= {f"fasttext.{name}": str(value) for name, value in found.get("fasttext", {}).items()}
    figures = table("分类 Classifier", (Column("指标", "figure"), Column("值", "value", True)), flat.items())
    return Group(figures, Text(fasttext_baseline.MISSING, "bold red")) if missing else figures

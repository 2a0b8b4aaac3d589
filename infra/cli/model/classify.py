"""`gridstream classify`: classifies JSON lines; the answers are JSON lines."""

import os
import sys
from io import BufferedReader
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.shared.output import EXIT_FAILS, EXIT_HOLDS
from infra.settings import settings
from pipelines.classify.json_lines import LineClassifier, batches
from pipelines.classify.modelfile import current_model, load_model
from pipelines.errors import UserFault

_BLOCK = 1 << 20  # read1 returns what a pipe holds, so a slow writer is answered at once


def classify(
    file: Annotated[str, typer.Argument(help="JSON 行文件，- 为标准输入 file of JSON lines, - for stdin")] = "-",
    explained: Annotated[
        bool, typer.Option("--explain", help="加上最重要的字串 add the n-grams that weighed most")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(help="模型文件；默认流所用的模型 model file; default: the model that the stream uses"),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="置信度阈值；默认模型自己的 least confidence to decide; default: the model's",
        ),
    ] = None,
) -> None:
    """事件分类：每行一个 JSON（id、text，可加 source、source_type、event_type），按原顺序逐行回答。

    Classifies JSON lines (id, text, optionally source, source_type, event_type) in order, as they
    arrive. An answer has id, event_type, confidence, decided_by and three alternatives. Malformed
    lines are reported by number on stderr and skipped; the exit code is then 1.

    Every text gets an answer. Case and width of letters do not matter, traditional characters are
    read as simplified ones, and a run of digits as one digit; direction marks and other invisible
    characters are skipped. A text of which the model knows nothing (empty, only emoji, another
    script) is 999 with confidence 0. A line with invalid UTF-8 or lone surrogates is malformed.
    """
    chosen = load_model(model) if model else current_model(settings().model)
    classifier = LineClassifier(chosen, explained, threshold)
    exit_code = EXIT_HOLDS
    with _opened(file) as stream:
        for lines in batches(iter(lambda: stream.read1(_BLOCK), b"")):
            answers, faults = classifier.answer(lines)
            sys.stdout.buffer.write(answers)
            sys.stdout.buffer.flush()
            for fault in faults:
                sys.stderr.write(f"第 {fault.number} 行 line {fault.number}: {fault.reason}\n")
                exit_code = EXIT_FAILS
    raise SystemExit(exit_code)


def _opened(name: str) -> BufferedReader:
    if name == "-":
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise UserFault(
            f"无法读取 {name}：请给出 JSON 行文件，或用 - 表示标准输入"
            f" Cannot read {name}: {error.strerror}. Give a file of JSON lines, or - for stdin."
        ) from error


def register(app: typer.Typer) -> None:
    app.command("classify")(classify)

"""`gridstream classify`: JSON lines in, JSON lines out."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.shared.output import EXIT_FAILS, EXIT_HOLDS
from infra.settings import settings
from pipelines.classify.json_lines import LineClassifier, batches
from pipelines.classify.modelfile import current_model, load_model
from pipelines.errors import UserFault

_BLOCK = 1 << 20  # a pipe hands over what it has, so a slow writer is answered at once


def classify(
    file: Annotated[str, typer.Argument(help="JSON 行文件，- 为标准输入 file of JSON lines, - for stdin")] = "-",
    explained: Annotated[
        bool, typer.Option("--explain", help="加上最重要的字串 add the n-grams that weighed most")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(help="模型文件 model file; default: the one that the stream uses")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="置信度阈值 least confidence to decide; default: the model's")
    ] = None,
) -> None:
    """事件分类：每行一个 JSON（id、text，可加 source、source_type、event_type），按原顺序逐行回答。

    Classifies JSON lines (id, text, optionally source, source_type, event_type), answering in order as they arrive:
    id, event_type, confidence, decided_by, three alternatives. A malformed line is named by number on stderr, the
    rest goes on, and the exit code is 1.

    Any text has an answer. Letters are read without regard to case or width, traditional characters as simplified
    ones, each run of digits as one; marks of direction and other invisible ones are skipped. A text of which the model
    knows nothing (empty, emoji alone, another script) is 999 with confidence 0. Bytes that are no UTF-8 and lone
    surrogates make a line malformed.
    """
    chosen = load_model(model) if model else current_model(settings().model)
    classifier = LineClassifier(chosen, explained, threshold)
    faults = 0
    with ExitStack() as stack:
        for lines in batches(_blocks(_opened(file, stack))):
            answers, bad = classifier.answer(lines)
            sys.stdout.buffer.write(answers)
            sys.stdout.buffer.flush()
            for fault in bad:
                sys.stderr.write(f"第 {fault.number} 行 line {fault.number}: {fault.reason}\n")
            faults += len(bad)
    raise SystemExit(EXIT_FAILS if faults else EXIT_HOLDS)


def _opened(name: str, stack: ExitStack) -> BufferedReader:
    if name == "-":
        return stack.enter_context(os.fdopen(os.dup(sys.stdin.fileno()), "rb"))
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise UserFault(f"Cannot read {name}: {error.strerror}. Give a file of JSON lines, or - for stdin.") from error


def _blocks(stream: BufferedReader) -> Iterator[bytes]:
    while block := stream.read1(_BLOCK):
        yield block


def register(app: typer.Typer) -> None:
    app.command("classify")(classify)

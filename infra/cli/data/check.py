"""`gridstream check`: what the stream would do with messages, before they are sent."""

import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import typer

from infra.cli.shared.output import EXIT_FAILS, EXIT_HOLDS
from infra.settings import Settings, settings
from pipelines.classify import current_model
from pipelines.clock import utc_now
from pipelines.errors import UserFault
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import Stream
from pipelines.places.grids import GridIndex, GridRow
from pipelines.privacy.mask import read_patterns
from pipelines.stream.check import check
from pipelines.stream.prepare import Preparation
from schemas import registry
from schemas.event_types import known_codes

_BATCH = 4096  # lines judged together


def check_command(
    file: Annotated[str, typer.Argument(help="JSON 行文件，- 为标准输入 file of JSON lines, - for stdin")] = "-",
    strict: Annotated[
        bool, typer.Option("--strict", help="有被拒的消息时退出码为 1 exit code 1 when a message would be rejected")
    ] = False,
) -> None:
    """发送前检查消息：每行一个 JSON 消息，按原顺序逐行回答流作业会怎样处理；不需要任何服务。

    Checks messages before they are sent: JSON lines in, for each line in order what the stream would do, as JSON lines
    out. No service is needed: the registry is that of schemas/registry. An answer has line, outcome (event or
    quarantine), reasons, warnings, event_type, decided_by, text and extra as they would be stored (masked), masked
    (pieces of personal data by kind) and detail. A summary goes to stderr.

    Example: gridstream check messages.jsonl | grep quarantine
    """
    plan = preparation(settings())
    counts: Counter[str] = Counter()
    encoder, first_line = msgspec.json.Encoder(), 1
    with _opened(file) as stream:
        for batch in _batches(stream, plan.limits.max_bytes):
            answers = check(batch, first_line, plan)
            first_line += len(batch)
            counts.update(answer.outcome for answer in answers)
            sys.stdout.buffer.write(encoder.encode_lines(answers))
            sys.stdout.buffer.flush()
    total = sum(counts.values())
    sys.stderr.write(
        f"共 {total:,} 行 lines: 接收 {counts['event']:,} accepted, 拒收 {counts['quarantine']:,} rejected\n"
    )
    raise SystemExit(EXIT_FAILS if strict and counts["quarantine"] else EXIT_HOLDS)


def preparation(config: Settings) -> Preparation:
    """As the stream would prepare messages now, with the registry of the files and a key of its own."""
    timezones = {city.code: city.timezone for city in registry.cities()}
    grids = (
        GridRow(
            grid.grid_code,
            grid.town_code,
            grid.county_code,
            grid.city_code,
            timezones[grid.city_code],
            grid.valid_from,
            grid.valid_to,
        )
        for grid in registry.grids()
    )
    context = Context(GridIndex.of(grids), known_codes(), utc_now())
    masks = read_patterns(config.mask_patterns)
    key = secrets.token_bytes(32)  # of the hashes nothing is shown
    return Preparation(Stream("check", "", 0, 0), Limits(), context, current_model(config.model), key, masks)


def _batches(stream: IO[bytes], limit: int) -> Iterator[list[bytes]]:
    """Lines without their line feeds, in batches. Of a line that is too large, `limit` + 2 bytes are kept."""
    batch: list[bytes] = []
    while line := stream.readline(limit + 2):
        complete = line.endswith(b"\n")
        while not complete and (rest := stream.readline(limit + 2)):
            complete = rest.endswith(b"\n")
        batch.append(line.removesuffix(b"\n").removesuffix(b"\r"))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _opened(name: str) -> Any:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise UserFault(
            f"无法读取 cannot read {name}: {error.strerror}; 请给出 give a file of JSON lines, or - for stdin"
        ) from error


def register(app: typer.Typer) -> None:
    app.command("check")(check_command)

"""`gridstream review`: reports that nobody and nothing decided, out to a clerk as CSV and back as messages."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, AsJson, emit, number
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.review import review
from pipelines.services.clickhouse import connect
from pipelines.services.publish import Publisher

_HELP = """复核队列：导出待定类型的上报，填好后导回。

Reports whose type is in doubt: export them, fill in event_type, import the file.
"""


def export(
    file: Annotated[Path, typer.Argument(help="CSV 文件 CSV file to write")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="最多行数 most lines")] = 500,
    as_json: AsJson = False,
) -> None:
    """导出复核队列：置信度最低者在前，相同来文只列一条；请在 event_type 列填代码。

    Writes the queue as CSV, least confident first, one line for reports that say the same. Fill in event_type.
    """
    with closing(connect(settings().clickhouse("engineer"))) as client:
        rows = review.queue(client, limit)
    try:
        file.write_bytes(review.to_csv(rows))
    except OSError as error:
        raise UserFault(f"Cannot write {file}: {error.strerror}.") from error
    document = {"file": file, "lines": len(rows), "reports": sum(row["alike"] for row in rows)}
    told = f"{number(len(rows))} 行 lines, {number(document['reports'])} 条上报 reports: {file}"
    emit(document, as_json, lambda: Text(told))


def import_(
    file: Annotated[Path, typer.Argument(help="填好的 CSV 文件 the filled-in CSV file")], as_json: AsJson = False
) -> None:
    """导入填好的文件：每个决定成为一条普通消息发往 Kafka；重复导入不会重复计数。

    Sends each decision as an ordinary message through Kafka. Lines in error are named and the rest goes on; exit
    code 1 then. Importing a file twice counts once.
    """
    try:
        filled = review.read_csv(file.read_bytes())
    except OSError as error:
        raise UserFault(f"Cannot read {file}: {error.strerror}.") from error
    now = settings()
    with closing(connect(now.clickhouse("engineer"))) as client:
        prepared = review.prepare(client, filled.decisions, datetime.now(UTC))
    if prepared.messages:
        with Publisher(now.kafka_bootstrap, now.topic) as publisher:
            for key, value in prepared.messages:
                publisher.send(value, key)
    faults = list(review.all_faults(filled.faults, prepared.faults))
    for fault in faults:
        sys.stderr.write(f"第 {fault.line} 行 line {fault.line}: {fault.reason}\n")
    sent, holding = len(prepared.messages), prepared.holding
    told = f"已发送 sent {sent}, 已生效 already hold {holding}, 空白 blank {filled.blank}, 有误 in error {len(faults)}"
    document = {"sent": sent, "already": holding, "blank": filled.blank, "faults": [one._asdict() for one in faults]}
    emit(document, as_json, lambda: Text(told))
    if faults:
        raise SystemExit(EXIT_FAILS)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("export")(export)
    group.command("import")(import_)
    app.add_typer(group, name="review")

"""`gridstream review`: undecided reports, exported as CSV for clerks, and decisions sent as
messages.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, AsJson, emit, number
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.review.decisions import prepare
from pipelines.review.spreadsheet import queue, read_csv, sorted_faults, to_csv
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

    Writes the queue as CSV, lowest confidence first, one line for reports with the same text. Fill
    in the column event_type.
    """
    with settings().client("engineer") as client:
        rows = queue(client, limit)
    try:
        file.write_bytes(to_csv(rows))
    except OSError as error:
        raise UserFault(f"无法写入 cannot write {file}: {error.strerror}") from error
    document = {"file": file, "lines": len(rows), "reports": sum(row["alike"] for row in rows)}
    summary = f"{number(len(rows))} 行 lines, {number(document['reports'])} 条上报 reports: {file}"
    emit(document, as_json, lambda: Text(summary))


def import_(
    file: Annotated[Path, typer.Argument(help="填好的 CSV 文件 the filled-in CSV file")], as_json: AsJson = False
) -> None:
    """导入填好的文件：每个决定成为一条普通消息发往 Kafka；重复导入不会重复计数。

    Sends each decision to Kafka as an ordinary message. Lines in error are reported by number and
    skipped; the exit code is then 1. Importing a file twice has the effect of importing it once.
    """
    try:
        sheet = read_csv(file.read_bytes())
    except OSError as error:
        raise UserFault(f"无法读取 cannot read {file}: {error.strerror}") from error
    config = settings()
    with config.client("engineer") as client:
        prepared = prepare(client, sheet.decisions, datetime.now(UTC))
    if prepared.messages:
        with Publisher(config.kafka_bootstrap, config.topic) as publisher:
            for key, value in prepared.messages:
                publisher.send(value, key)
    faults = list(sorted_faults(sheet.faults, prepared.faults))
    for fault in faults:
        sys.stderr.write(f"第 {fault.line} 行 line {fault.line}: {fault.reason}\n")
    sent, holding = len(prepared.messages), prepared.holding
    summary = (
        f"已发送 sent {sent}, 已生效 already hold {holding}, 空白 blank {sheet.blank}, 有误 in error {len(faults)}"
    )
    document = {"sent": sent, "already": holding, "blank": sheet.blank, "faults": [fault._asdict() for fault in faults]}
    emit(document, as_json, lambda: Text(summary))
    if faults:
        raise SystemExit(EXIT_FAILS)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("export")(export)
    group.command("import")(import_)
    app.add_typer(group, name="review")

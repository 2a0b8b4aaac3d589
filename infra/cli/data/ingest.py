"""`gridstream ingest`: a file of a registered source into Kafka."""

from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from infra.cli.shared.output import EXIT_FAILS, AsJson, Column, emit, number, progress, table
from infra.cli.shared.wait import WaitSeconds, wait_until_loaded
from infra.settings import settings
from pipelines.clock import aware, utc_now
from pipelines.errors import UserFault
from pipelines.services.publish import Publisher
from pipelines.sources.catalogue import SOURCES, open_source
from pipelines.sources.ingest import Ingested, ingest
from pipelines.sources.source import FileFinding
from schemas.crosswalks import crosswalks, lookup
from schemas.event_types import OTHER


def command(
    file: Annotated[Path | None, typer.Argument(help="来源的文件 file of the source")] = None,
    source: Annotated[str, typer.Option("--source", "-s", help="来源名称 name of the source; see --list")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="只取前 N 行 only the first N rows")] = None,
    exported_at: Annotated[
        str | None,
        typer.Option(help="导出时间 time of the export, 2026-03-09T18:00+08:00; default: newest time in the file"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不发送 check everything, send nothing")] = False,
    listed: Annotated[bool, typer.Option("--list", help="列出来源 list the sources")] = False,
    wait: WaitSeconds = None,
    as_json: AsJson = False,
) -> None:
    """导入文件：逐行转成消息并发送到 Kafka，每一行都有去向；重复导入不会重复计数。

    Sends the rows of a file as messages to Kafka. Every row is accounted for; a file sent twice counts once. Exit
    code 1 if no row could become a message.
    """
    if listed:
        sources = [{"name": kind.name, "zh": kind.zh, "en": kind.en} for kind in SOURCES.values()]
        emit(sources, as_json, _render_sources)
        return
    if not source or file is None:
        raise UserFault("请指定来源和文件 name a source and a file: gridstream ingest --source NAME FILE (see --list)")
    opened, config = open_source(source, file, _past_time(exported_at)), settings()
    total = min(opened.rows, limit or opened.rows)
    sending = nullcontext(None) if dry_run else Publisher(config.kafka_bootstrap, config.topic)
    with sending as publisher, progress(source, total, quiet=as_json) as advance:
        result = ingest(opened, publisher, limit, advance)
    loaded = wait_until_loaded(config, wait) if wait is not None and not dry_run else None
    document = _as_json(source, file, result, dry_run, loaded)
    emit(document, as_json, lambda: _render(result, dry_run, loaded))
    if result.nothing_survived:
        raise typer.Exit(EXIT_FAILS)


def _past_time(written: str | None) -> datetime | None:
    """The time in `--exported-at`. Raises UserFault if it is malformed or in the future."""
    if written is None:
        return None
    try:
        time = aware(datetime.fromisoformat(written))
    except ValueError:
        raise UserFault(f"--exported-at 不是时间 is not a time like 2026-03-09T18:00+08:00: {written!r}") from None
    if time > utc_now():
        raise UserFault(f"--exported-at 在未来 is in the future: {written!r}")
    return time


def _as_json(source: str, file: Path, result: Ingested, dry_run: bool, loaded: float | None) -> dict[str, Any]:
    return {
        "source": source,
        "file": str(file),
        "dry_run": dry_run,
        "rows": result.rows,
        "sent": 0 if dry_run else result.sent,
        "problems": result.problems,
        "problem_examples": result.examples,
        "mapped_share": _mapped_share(result),
        "unmapped": dict(result.unmapped.most_common()),
        "partitions": {str(partition): count for partition, count in sorted(result.partitions.items())},
        "findings": result.findings,
        "loaded_after_seconds": loaded,
    }


def _mapped_share(result: Ingested) -> float | None:
    """The share of rows to which a crosswalk gives a type other than "other"; None without rows."""
    known = sum(count for name, count in result.types.items() if lookup(name) not in (None, OTHER))
    return round(known / result.rows, 4) if result.rows else None


def _render(result: Ingested, dry_run: bool, loaded: float | None) -> RenderableType:
    share = _mapped_share(result)
    figures = [
        ("读取行数 rows read", result.rows),
        ("可发送 to be sent" if dry_run else "已发送并确认 sent and acknowledged", result.sent),
        ("无法转换 rows without a message", result.problems),
        ("已归类占比 given a type other than 999", "-" if share is None else f"{share * 100:.1f} %"),
        ("未映射类别 categories without a crosswalk entry", len(result.unmapped)),
    ]
    if loaded is not None:
        figures.append(("入库等待 loaded after", f"{loaded:.1f} s"))
    columns = [Column("项目", "item"), Column("数值", "value", True)]
    parts: list[RenderableType] = [table("导入 Ingest", columns, figures)]
    if result.examples:
        rows = [[example] for example in result.examples]
        parts.append(table("无法转换的行 Rows without a message", [Column("原因", "reason")], rows))
    if result.unmapped:
        columns = [Column("类别", "category"), Column("行数", "rows", True)]
        parts.append(table("未映射类别 Unmapped categories", columns, result.unmapped.most_common(20)))
    if result.findings:
        parts.append(_render_findings(result.findings))
    return Group(*parts)


def _render_findings(findings: tuple[FileFinding, ...]) -> RenderableType:
    names = (("发现", "finding"), ("次数", "count", True), ("列", "columns"), ("例", "examples"))
    columns = [Column(*name) for name in names]
    rows = [
        (f"{finding.zh} {finding.en}", number(finding.count), _parts(finding), "\n".join(finding.examples[:3]))
        for finding in findings
    ]
    return table("数据异常 Findings in the file", columns, rows)


def _parts(finding: FileFinding) -> str:
    return "\n".join(f"{column} {number(count)}" for column, count in finding.parts.items()) or "-"


def _render_sources() -> RenderableType:
    columns = [Column("名称", "name"), Column("来源", "source"), Column("类别数", "categories", True)]
    rows = [(kind.name, f"{kind.zh} {kind.en}", len(crosswalks()[kind.name].types)) for kind in SOURCES.values()]
    return table("来源 Sources", columns, rows)


def register(app: typer.Typer) -> None:
    app.command("ingest")(command)

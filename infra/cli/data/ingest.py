"""`gridstream ingest`: a file of a registered source into Kafka."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from infra.cli.shared.output import AsJson, Column, emit, number, progress, table
from infra.cli.shared.wait import WaitSeconds, wait_until_loaded
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.services.publish import Publisher
from pipelines.sources.catalogue import SOURCES, open_source
from pipelines.sources.ingest import Ingested, ingest
from pipelines.sources.source import FileFinding
from schemas.crosswalks import crosswalks, lookup


def command(
    file: Annotated[Path | None, typer.Argument(help="来源的文件 the source's file")] = None,
    source: Annotated[str, typer.Option("--source", "-s", help="来源名称 name of the source; see --list")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="只取前 N 行 only the first N rows")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不发送 check everything, send nothing")] = False,
    listed: Annotated[bool, typer.Option("--list", help="列出来源 list the sources")] = False,
    wait: WaitSeconds = None,
    as_json: AsJson = False,
) -> None:
    """导入文件：逐行转成消息并发送到 Kafka，每一行都有去向；重复导入不会重复计数。

    Sends a file's rows as messages to Kafka. Every row is accounted for; a file sent twice counts once.
    """
    if listed:
        emit([{"name": kind.name, "zh": kind.zh, "en": kind.en} for kind in SOURCES.values()], as_json, _sources)
        return
    if not source or file is None:
        raise UserFault("请指定来源和文件 name a source and a file: gridstream ingest --source NAME FILE (see --list)")
    opened, now = open_source(source, file), settings()
    total = min(opened.rows, limit or opened.rows)
    sending = nullcontext(None) if dry_run else Publisher(now.kafka_bootstrap, now.topic)
    with sending as publisher, progress(f"{source}", total, quiet=as_json) as advance:
        done = ingest(opened, publisher, limit, advance)
    loaded = wait_until_loaded(now, wait) if wait is not None and not dry_run else None
    emit(_document(source, file, done, dry_run, loaded), as_json, lambda: _shown(done, dry_run, loaded))


def _document(source: str, file: Path, done: Ingested, dry_run: bool, loaded: float | None) -> dict[str, Any]:
    return {
        "source": source,
        "file": str(file),
        "dry_run": dry_run,
        "rows": done.rows,
        "sent": 0 if dry_run else done.sent,
        "problems": done.problems,
        "problem_examples": done.examples,
        "mapped_share": _mapped_share(done),
        "unmapped": dict(done.unmapped.most_common()),
        "partitions": {str(partition): count for partition, count in sorted(done.partitions.items())},
        "findings": done.findings,
        "loaded_after_seconds": loaded,
    }


def _mapped_share(done: Ingested) -> float | None:
    """Share of the rows that a crosswalk gives a type other than 999, other."""
    known = sum(count for name, count in done.types.items() if lookup(name) not in (None, 999))
    return round(known / done.rows, 4) if done.rows else None


def _shown(done: Ingested, dry_run: bool, loaded: float | None) -> RenderableType:
    share = _mapped_share(done)
    figures = [
        ("读取行数 rows read", done.rows),
        ("可发送 to be sent" if dry_run else "已发送并确认 sent and acknowledged", done.sent),
        ("无法转换 could not be turned", done.problems),
        ("已归类占比 given a type other than 999", "-" if share is None else f"{share * 100:.1f} %"),
        ("未映射类别 categories without a crosswalk entry", len(done.unmapped)),
    ]
    if loaded is not None:
        figures.append(("入库等待 loaded after", f"{loaded:.1f} s"))
    parts: list[RenderableType] = [
        table("导入 Ingest", [Column("项目", "item"), Column("数值", "value", True)], figures)
    ]
    if done.examples:
        parts.append(
            table("无法转换的行 Rows without a message", [Column("原因", "reason")], [[e] for e in done.examples])
        )
    if done.unmapped:
        columns = [Column("类别", "category"), Column("行数", "rows", True)]
        parts.append(table("未映射类别 Unmapped categories", columns, done.unmapped.most_common(20)))
    if done.findings:
        columns = [
            Column("发现", "finding"),
            Column("次数", "count", True),
            Column("列", "columns"),
            Column("例", "examples"),
        ]
        rows = [(f"{f.zh} {f.en}", number(f.count), _parts(f), "\n".join(f.examples[:3])) for f in done.findings]
        parts.append(table("数据异常 Findings in the file", columns, rows))
    return Group(*parts)


def _parts(finding: FileFinding) -> str:
    return "\n".join(f"{column} {number(count)}" for column, count in finding.parts.items()) or "-"


def _sources() -> RenderableType:
    columns = [Column("名称", "name"), Column("来源", "source"), Column("类别数", "categories", True)]
    rows = [(kind.name, f"{kind.zh} {kind.en}", len(crosswalks()[kind.name].types)) for kind in SOURCES.values()]
    return table("来源 Sources", columns, rows)


def register(app: typer.Typer) -> None:
    app.command("ingest")(command)

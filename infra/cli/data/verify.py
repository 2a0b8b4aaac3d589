"""`gridstream verify`: whether anything is lost or counted twice."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, EXIT_HOLDS, AsJson, Column, cell, emit, progress, seconds, table
from infra.settings import Settings, settings
from pipelines.verify import UNFINISHED_AFTER_SECONDS, Check, ProofFinding, VerifyProgress, VerifyReport
from pipelines.verify import verify as run_checks

_STATES = {
    "holds": ("成立 holds", "green"),
    "warns": ("注意 warns", "yellow"),
    "fails": ("不成立 FAILS", "bold red"),
    "skipped": ("未查 skipped", "yellow"),
}
# The Chinese names of the figures; a test keeps the list complete.
FIGURES = {
    "partitions": "分区",
    "ranges": "区间",
    "recorded_again": "重复记账",
    "offsets": "偏移量",
    "good": "账本入库",
    "quarantined": "账本隔离",
    "duplicates": "账本重发",
    "in_flight": "在途区间",
    "events": "事件",
    "merged_away": "已合并",
    "quarantine": "隔离",
    "read": "读取",
    "accepted": "入库",
    "rejected": "隔离",
    "resends": "重发",
    "by_id": "仅按编号比对",
    "expired": "隔离已过期",
    "by_length": "仅按长度比对",
    "absent": "无消息的偏移量",
    "lost": "丢失",
    "lag": "积压",
    "by_ledger_only": "仅凭账本",
    "rows": "行",
    "event_ids": "事件编号",
    "awaiting_merge": "待合并",
    "twice": "重复",
    "reports_in_events": "事件中的上报",
    "reports": "上报",
    "days_current": "最新的日",
    "days_stale": "待重建的日",
    "days_unbuilt": "未汇总的日",
    "days_unsettled": "刚变动的日",
    "builds_current": "最新的集市",
    "builds_stale": "待重建的集市",
}


def verify(
    quick: Annotated[bool, typer.Option("--quick", help="不读 Kafka 消息 do not read Kafka's messages")] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="在途多少分钟算异常 minutes after which a range in flight is a warning")
    ] = UNFINISHED_AFTER_SECONDS / 60,
    as_json: AsJson = False,
) -> None:
    """核对：不丢、不重、状态最新、汇总可重算。

    Proves from Kafka and ClickHouse alone, without any code of the loader, that no message is lost, none is counted
    twice, every state is the newest event, and the rollup and the marts equal their recomputation.

    Exit code 0: it holds; 1: it does not hold; 2: a service does not answer.
    """
    report = prove(settings(), quick=quick, patience=patience, quiet=as_json)
    emit(report.document(), as_json, lambda: render_report(report))
    raise typer.Exit(EXIT_HOLDS if report.holds else EXIT_FAILS)


def prove(
    config: Settings, quick: bool = False, patience: float = UNFINISHED_AFTER_SECONDS / 60, quiet: bool = False
) -> VerifyReport:
    """Run every check, with a progress bar; `patience` in minutes. Raises as `pipelines.verify.verify` does."""
    with ExitStack() as bar:
        advance = [lambda steps: None]
        callbacks = VerifyProgress(
            started=lambda total: advance.append(bar.enter_context(progress("核对 verifying", total, quiet=quiet))),
            done=lambda steps: advance[-1](steps),
        )
        return run_checks(
            config.kafka_bootstrap,
            config.topic,
            config.clickhouse("engineer"),
            config.hash_key_bytes(),
            quick=quick,
            patience=round(patience * 60),
            progress=callbacks,
        )


def render_report(report: VerifyReport) -> RenderableType:
    """A table of the checks, the findings, and the verdict."""
    columns = (Column("核对", "check"), Column("结论", "verdict"), Column("数字", "figures"))
    rows = ((f"{check.zh}\n{check.en}", _verdict(check), _figures(check)) for check in report.checks)
    title = f"核对 verify · {report.topic} → {report.database} · {seconds(report.seconds)}"
    checks = table(title, columns, rows)
    checks.show_lines = True
    return Group(checks, *_render_findings(report), conclusion(report))


def conclusion(report: VerifyReport) -> Text:
    """The verdict in one line."""
    if not report.holds:
        return Text("不成立 DOES NOT HOLD", "bold red")
    if report.quick:
        return Text("所查皆成立，Kafka 未读 HOLDS as far as checked; Kafka's messages were not read", "bold yellow")
    return Text("成立：不丢、不重 HOLDS: nothing lost, nothing counted twice", "bold green")


def _verdict(check: Check) -> Text:
    words, style = _STATES[check.state]
    return Text(words if check.skipped is None else f"{words}\n{' '.join(check.skipped)}", style)


def _figures(check: Check) -> str:
    return "\n".join(f"{FIGURES.get(name, name)} {name} {cell(value)}" for name, value in check.figures.items())


def _render_findings(report: VerifyReport) -> Iterator[Text]:
    for check in report.checks:
        for finding in check.findings:
            yield Text(f"{finding.zh} {finding.en}: {cell(finding.count)}", _STATES[finding.state][1])
            yield from _render_examples(finding)


def _render_examples(finding: ProofFinding) -> Iterator[Text]:
    for example in finding.examples:
        yield Text("  " + ", ".join(f"{name} {value}" for name, value in example.items()))
    if finding.examples and finding.count > len(finding.examples):
        yield Text(f"  …… 共 in all {cell(finding.count)}")


def register(app: typer.Typer) -> None:
    app.command()(verify)

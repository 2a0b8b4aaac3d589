"""`gridstream status`: is every part running, is the stream keeping up, and if not, what to do."""

from dataclasses import asdict, dataclass
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, AsJson, Column, emit, moment, number, percent, seconds, table
from infra.cli.stack.stack import STATES, process_table
from infra.cli.stack.stream_view import Problem, StreamView, stream_view
from infra.local.services.programs import ON_DEMAND, SERVICES
from infra.local.supervise.states import ProcessState, processes
from infra.settings import Settings, settings
from pipelines.watch.lag import LedgerFigures

_FINE = ("running", "starting", "external")
_CONDITIONS = {
    "starting": "启动中 starting",
    "running": "运行 running",
    "waiting": "等待 waiting",
    "defect": "程序缺陷 defect",
    "held": "熔断 held by its breaker",
    "stopped": "已停 stopped",
    "failed": "失败 failed",
    "never started": "未启动过 never started",
}


@dataclass(frozen=True)
class Status:
    """The whole picture; `ok` is False when a person should do something."""

    ok: bool
    parts: list[ProcessState]
    stream: StreamView
    problems: list[Problem]


def current_status(now: Settings) -> Status:
    """Every part and the stream, as they are. A service that is down is not asked for figures."""
    parts = processes(now)
    required = [part for part in parts if part.name not in ON_DEMAND]
    fine = {part.name for part in required if part.state in _FINE}
    stream = stream_view(now, ask=fine.issuperset(SERVICES))
    problems = [*_down(required, fine), *stream.problems]
    return Status(not problems, parts, stream, problems)


def _down(required: list[ProcessState], fine: set[str]) -> list[Problem]:
    if all(part.state == "stopped" for part in required):
        return [Problem("什么都没有运行 nothing is running", "gridstream up")]
    return [_trouble(part) for part in required if part.name not in fine]


def _trouble(part: ProcessState) -> Problem:
    told = f"{part.name} {STATES[part.state]}"
    if part.state == "stopped":
        return Problem(told, f"gridstream up --only {part.name}")
    return Problem(f"{told}; 日志 log: {part.log}", f"gridstream logs {part.name}; gridstream up")


def command(as_json: AsJson = False) -> None:
    """各部件与流作业的现状；有问题时说明如何处理，退出码 1。

    Every part (state, pid, port, uptime, memory) and the stream (last batch, messages per second, lag,
    refused). Exit code 1 when something is wrong; then it says what to do.
    """
    status = current_status(settings())
    emit(_document(status), as_json, lambda: _shown(status))
    if not status.ok:
        raise typer.Exit(EXIT_FAILS)


def _document(status: Status) -> dict[str, Any]:
    view = status.stream
    stream = {
        "condition": view.condition,
        "state": view.state,
        "ledger": view.ledger,
        "quarantine_rate": view.ledger.quarantine_rate if view.ledger else None,
        "lag": asdict(view.lag) | {"messages": view.lag.messages} if view.lag else None,
    }
    return {"ok": status.ok, "parts": status.parts, "stream": stream, "problems": status.problems}


def _shown(status: Status) -> RenderableType:
    verdict = Text("一切正常 all is well", "bold green") if status.ok else _problems(status.problems)
    return Group(process_table(status.parts), stream_table(status.stream), verdict)


def _problems(problems: list[Problem]) -> RenderableType:
    lines = [Text.assemble(("✗ ", "bold red"), p.what, ("\n  → ", "yellow"), p.do) for p in problems]
    return Group(*lines)


def stream_table(view: StreamView) -> RenderableType:
    """The stream's figures, for `status` and the demo's live view."""
    rows: list[tuple[str, Any]] = [("状态 condition", _CONDITIONS[view.condition])]
    if view.state:
        rows.append(("自 since", moment(view.state.at)))
    if view.lag:
        rows.append(("积压 lag", f"{number(view.lag.messages)} 条 messages, {seconds(view.lag.seconds)}"))
    if view.ledger:
        rows += _ledger_rows(view.ledger)
    return table("流作业 Stream", (Column("项目", "item"), Column("现值", "value")), rows)


def _ledger_rows(figures: LedgerFigures) -> list[tuple[str, Any]]:
    age = seconds(figures.batch_age_seconds)
    hour = percent(figures.quarantine_rate)
    return [
        ("上一微批 last micro-batch", f"#{figures.batch_id}, {number(figures.batch_rows)} 条 messages, {age} 前 ago"),
        ("速率 rate", f"{figures.rows_per_second:,.1f} 条/秒 messages/s (近一分钟 last minute)"),
        ("已入库 loaded", f"{number(figures.good)} 条 messages, 重发 resends {number(figures.duplicates)}"),
        ("隔离 quarantined", f"{number(figures.quarantined)} 条 messages, 近一小时 last hour {hour}"),
    ]


def register(app: typer.Typer) -> None:
    app.command("status")(command)

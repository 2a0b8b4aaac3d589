"""`gridstream status`: is every part running, is the stream keeping up, and if not, what to do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from infra.cli.shared.output import EXIT_FAILS, AsJson, console, emit
from infra.cli.stack.settings import warn_of_unknown_settings
from infra.cli.stack.stack import STATES, render_processes
from infra.cli.stack.stream_view import condition, observe_stream, render_stream
from infra.local.services.programs import ON_DEMAND, SERVICES
from infra.local.supervise.states import ProcessState, processes
from infra.settings import Settings, settings
from pipelines.watch.health import Observation, Problem, judge

_WELL = ("running", "starting", "external")
_MARKS = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow")}
# What the stream says of its own end names the cause; that its process is down is the consequence.
_ENDED = frozenset({"never_started", "stopped", "dead", "failed"})


@dataclass(frozen=True)
class Status:
    """Every part and the stream; `problems`: what a person should look at, the cause first."""

    parts: list[ProcessState]
    stream: Observation
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def current_status(config: Settings) -> Status:
    """Every part and the stream, as they are. Services are asked for figures only if their processes run."""
    parts = processes(config)
    required = [part for part in parts if part.name not in ON_DEMAND]
    stream = observe_stream(config, ask=all(part.state in _WELL for part in required if part.name in SERVICES))
    return Status(parts, stream, problems(required, judge(stream).problems))


def problems(parts: Sequence[ProcessState], stream: Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems of the required parts and of the stream, without consequences of what is already named."""
    if all(part.state == "stopped" for part in parts):
        nothing = Problem("nothing_runs", "error", "什么都没有运行 nothing is running", "gridstream up")
        # A stream that failed will fail again before its cause is fixed.
        return (*(problem for problem in stream if problem.id == "failed"), nothing)
    explained = {"stream"} if any(problem.id in _ENDED for problem in stream) else set()
    down = (part for part in parts if part.state not in _WELL and part.name not in explained)
    return (*map(_problem_of, down), *stream)


def _problem_of(part: ProcessState) -> Problem:
    what = f"{part.name} {STATES[part.state]}"
    if part.state == "stopped":
        return Problem("part_stopped", "error", what, f"gridstream up --only {part.name}")
    what = f"{what}; 日志 log: {part.log}"
    return Problem(f"part_{part.state}", "error", what, f"gridstream logs {part.name}; gridstream up")


def command(as_json: AsJson = False) -> None:
    """各部件与流作业的现状；有问题时说明原因与处理办法，退出码 1。

    Every part (state, pid, port, uptime, memory) and the stream (last batch, messages per second, lag, rejected
    messages). When something is wrong, it says why and what to do, and the exit code is 1.
    """
    status = current_status(settings())
    warn_of_unknown_settings()
    emit(_as_json(status), as_json, lambda: render_status(status, console.width))
    if not status.ok:
        raise typer.Exit(EXIT_FAILS)


def _as_json(status: Status) -> dict[str, Any]:
    seen = status.stream
    stream = {
        "condition": condition(seen),
        "state": seen.state,
        "alive": seen.alive,
        "ledger": seen.ledger,
        "quarantine_rate": seen.ledger.quarantine_rate if seen.ledger else None,
        "lag": asdict(seen.lag) | {"messages": seen.lag.messages} if seen.lag else None,
    }
    return {"ok": status.ok, "parts": status.parts, "stream": stream, "problems": status.problems}


def render_status(status: Status, width: int) -> RenderableType:
    """All of it for a terminal of `width` columns."""
    verdict = Text("一切正常 all is well", "bold green") if status.ok else _render_problems(status.problems)
    return Group(render_processes(status.parts, width), render_stream(status.stream), verdict)


def _render_problems(problems: Sequence[Problem]) -> RenderableType:
    lines = Table.grid(padding=(0, 1))
    for problem in problems:
        lines.add_row(Text(*_MARKS[problem.severity]), Text(problem.what))
        lines.add_row(Text("→", "yellow"), Text(problem.do))
    return lines


def register(app: typer.Typer) -> None:
    app.command("status")(command)

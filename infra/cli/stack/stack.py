"""`gridstream up`, `down`, `restart`, `logs`: the embedded stack."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, console, emit, errors, seconds, table
from infra.cli.shared.spinner import telling
from infra.local import stack
from infra.local.fetch.jars import Say
from infra.local.services.kafka import make_topic
from infra.local.services.programs import NAMES
from infra.local.supervise.states import ProcessState, processes
from infra.settings import Settings, settings
from pipelines.database import migrate
from pipelines.errors import UserFault

_COLUMNS = (
    Column("部件", "part"),
    Column("状态", "state"),
    Column("进程", "pid", True),
    Column("端口", "port", True),
    Column("已运行", "up for", True),
    Column("内存", "memory", True),
    Column("重启", "restarts", True),
    Column("版本", "version"),
)
STATES = {
    "running": "运行中 running",
    "starting": "启动中 starting",
    "stopping": "停止中 stopping",
    "stopped": "已停止 stopped",
    "failed": "失败 failed",
    "orphaned": "无人看管 orphaned",
    "external": "外部 external",
}

_STYLES = {"running": "green", "external": "cyan", "stopped": "red", "failed": "bold red", "orphaned": "bold red"}
Only = Annotated[
    str | None,
    typer.Option("--only", metavar="PART,...", help=f"只此部件 only these parts, of: {', '.join(NAMES)}"),
]


def up(only: Only = None, as_json: AsJson = False) -> None:
    """启动 Kafka、ClickHouse、流作业与 Dagster，建好主题与表，等到都就绪；已在运行的不动。

    Starts Kafka, ClickHouse, the stream and Dagster, makes topic and tables, and waits until all are ready.
    What runs already is left alone. With --only, starts only these parts.
    """
    now = settings()
    with telling("启动中 starting …", quiet=as_json) as say:
        result = bring_up(now, _parts(only), say)
    states = [state for state in processes(now) if state.name in (*result.started, *result.already)]
    document = {"started": result.started, "already": result.already, "processes": states, "addresses": addresses(now)}
    emit(document, as_json, lambda: _shown(now, result, states))


def _parts(only: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in only.split(",") if name.strip()) if only else ()


def bring_up(now: Settings, parts: tuple[str, ...] = (), say: Say = lambda _: None) -> stack.Started:
    """`stack.up` with topic, tables and registry made in between; a dead part's last log lines go to stderr."""

    def topic_and_tables() -> None:
        say("建主题与表 making topic and tables …")
        make_topic(now)
        migrate.run(now.clickhouse("loader"))

    try:
        return stack.up(now, parts, say, topic_and_tables)
    except stack.StackFault as fault:
        for line in fault.lines:
            errors.print(line, markup=False, style="dim", soft_wrap=True)
        raise


def addresses(now: Settings) -> dict[str, str]:
    """Where people and clients find the services."""
    return {
        "dagster": f"http://{now.local_host}:{now.dagster_port}",
        "clickhouse": now.clickhouse_url or f"http://{now.local_host}:{now.clickhouse_port}",
        "kafka": now.kafka_bootstrap,
    }


def process_table(states: Iterable[ProcessState]) -> RenderableType:
    """The parts of the stack, one a row."""
    return table("", _COLUMNS, map(_row, states))


def _row(state: ProcessState) -> tuple[Any, ...]:
    return (
        state.title,
        Text(STATES[state.state], _STYLES.get(state.state, "yellow")),
        str(state.pid) if state.pid else "-",  # numbers that name something are not grouped
        str(state.port) if state.port else state.address or "-",
        seconds(state.uptime_seconds) if state.uptime_seconds is not None else "-",
        f"{state.memory_bytes / 1024**2:,.0f} MB" if state.memory_bytes else "-",
        state.restarts,
        state.version,
    )


def _shown(now: Settings, result: stack.Started, states: list[ProcessState]) -> RenderableType:
    said = "全部就绪 all parts are ready" if result.started else "早已全部在运行 all parts were running already"
    where = (f"{name:<10} {address}" for name, address in addresses(now).items())
    return Group(process_table(states), said, *where)


def down(as_json: AsJson = False) -> None:
    """停止全部进程，数据留着；监督进程已不在时也能收拾干净。

    Ends all processes and keeps the data, also when the supervisor itself was killed before.
    """
    with telling("停止中 stopping …", quiet=as_json) as say:
        ended = stack.down(settings(), say)
    text = f"已停止 stopped: {', '.join(ended)}" if ended else "没有在运行的进程 nothing was running"
    emit({"stopped": ended}, as_json, lambda: text)


def restart(only: Only = None, as_json: AsJson = False) -> None:
    """重启指定部件；不指定则全部重启，并采用新的设置。

    Restarts the parts of --only; without it the whole stack, which then takes new settings.
    """
    now, parts = settings(), _parts(only)
    with telling("停止中 stopping …", quiet=as_json) as say:
        stopped = stack.stop(now, parts) if parts else stack.down(now, say)
        result = bring_up(now, parts, say)
    text = f"已重启 restarted: {', '.join(result.started)}"
    emit({"stopped": stopped, "started": result.started}, as_json, lambda: text)


def logs(
    part: Annotated[str, typer.Argument(help=f"部件 part: {', '.join(NAMES)}, clickhouse-server, supervisord")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="行数 how many lines")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="持续显示 go on as lines come")] = False,
    as_json: AsJson = False,
) -> None:
    """看某个部件的日志。

    Shows the log of a part.
    """
    path = log_file(settings(), part)
    if not path.exists():
        raise UserFault(f"{part} has no log yet ({path})")
    with path.open(encoding="utf-8", errors="replace") as file:
        last = [line.rstrip("\n") for line in deque(file, lines)]
        emit({"log": path, "lines": last}, as_json, lambda: Text("\n".join(last)))
        for line in _following(path) if follow and not as_json else ():
            console.print(line, markup=False, soft_wrap=True, end="")


def log_file(now: Settings, part: str) -> Path:
    """Where a part writes. Raises UserFault for a name that is none."""
    if part == "clickhouse-server":
        return now.home / "clickhouse" / "server.log"
    if part not in (*NAMES, "supervisord"):
        raise UserFault(
            f"there is no part {part!r}; choose from {', '.join((*NAMES, 'clickhouse-server', 'supervisord'))}"
        )
    return now.logs / f"{part}.log"


def _following(path: Path) -> Iterator[str]:
    """Lines as they are appended; begins again when the log was rotated."""
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, 2)
    while True:
        if line := file.readline():
            yield line
            continue
        time.sleep(0.3)
        if path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino:
            file.close()
            file = path.open(encoding="utf-8", errors="replace")


def register(app: typer.Typer) -> None:
    for command in (up, down, restart, logs):
        app.command()(command)

"""`gridstream up`, `down`, `restart`, `logs`: the embedded stack."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, console, emit, errors, seconds, table
from infra.cli.shared.spinner import spinner
from infra.cli.stack.settings import warn_of_unknown_settings
from infra.local import Notify, stack
from infra.local.services.kafka import make_topic
from infra.local.services.programs import NAMES
from infra.local.supervise.states import ProcessState, processes
from infra.settings import Settings, settings
from pipelines.clock import SHANGHAI
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
_LOG_COLUMNS = (
    Column("部件", "part"),
    Column("字节", "bytes", True),
    Column("最后一行", "last line at"),
    Column("文件", "file"),
)
_WIDE = 110  # columns of a terminal, from which on no cell is wrapped
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
_WITH_LOGS = (*NAMES, "clickhouse-server", "supervisord")
Only = Annotated[
    str | None,
    typer.Option("--only", metavar="PART,...", help=f"只此部件 only these parts, of: {', '.join(NAMES)}"),
]


def up(only: Only = None, as_json: AsJson = False) -> None:
    """启动 Kafka、ClickHouse、流作业与 Dagster，建好主题与表，等到都就绪；已在运行的不动。

    Starts Kafka, ClickHouse, the stream and Dagster, creates topic and tables, and waits until all are ready.
    Parts that run already are left alone. With --only, starts only these parts.
    """
    config = settings()
    warn_of_unknown_settings()
    with spinner("启动中 starting …", quiet=as_json) as show:
        result = bring_up(config, _parts(only), show)
    states = [state for state in processes(config) if state.name in (*result.started, *result.already)]
    found_at = addresses(config)
    document = {"started": result.started, "already": result.already, "processes": states, "addresses": found_at}
    emit(document, as_json, lambda: _render_up(found_at, result, states))


def _parts(only: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in only.split(",") if name.strip()) if only else ()


def bring_up(config: Settings, parts: tuple[str, ...] = (), show: Notify = lambda _: None) -> stack.Started:
    """`stack.up`; between services and workers the topic, the tables and the registry are created.

    The last log lines of a part that did not start are printed on stderr. Raises as `stack.up` does.
    """

    def make_topic_and_tables() -> None:
        show("建主题与表 creating topic and tables …")
        make_topic(config)
        migrate.run(config.clickhouse("loader"))

    try:
        return stack.up(config, parts, show, make_topic_and_tables)
    except stack.StackFault as fault:
        for line in fault.lines:
            errors.print(line, markup=False, style="dim", soft_wrap=True)
        raise


def addresses(config: Settings) -> dict[str, str]:
    """Where people and clients find the services."""
    return {
        "dagster": f"http://{config.local_address(config.dagster_port)}",
        "clickhouse": config.clickhouse_url or f"http://{config.local_address(config.clickhouse_port)}",
        "kafka": config.kafka_bootstrap,
    }


def render_processes(states: Iterable[ProcessState], width: int) -> RenderableType:
    """The parts of the stack as a table; the versions only in a terminal of `width` columns that has room for them."""
    columns = len(_COLUMNS) if width >= _WIDE else len(_COLUMNS) - 1
    return table("", _COLUMNS[:columns], (_row(state)[:columns] for state in states))


def _row(state: ProcessState) -> tuple[Any, ...]:
    return (
        state.title,
        Text(STATES[state.state], _STYLES.get(state.state, "yellow")),
        str(state.pid) if state.pid else "-",  # identifiers are not grouped by thousands
        str(state.port) if state.port else state.address or "-",
        seconds(state.uptime_seconds) if state.uptime_seconds is not None else "-",
        f"{state.memory_bytes / 1024**2:,.0f} MB" if state.memory_bytes else "-",
        state.restarts,
        state.version,
    )


def _render_up(found_at: dict[str, str], result: stack.Started, states: list[ProcessState]) -> RenderableType:
    verdict = "全部就绪 all parts are ready" if result.started else "早已全部在运行 all parts were running already"
    return Group(
        render_processes(states, console.width),
        verdict,
        *(f"{name:<10} {address}" for name, address in found_at.items()),
    )


def down(as_json: AsJson = False) -> None:
    """停止全部进程，数据留着；监督进程已不在时也能收拾干净。

    Ends all processes and keeps the data, also when the supervisor itself was killed before.
    """
    with spinner("停止中 stopping …", quiet=as_json) as show:
        ended = stack.down(settings(), show)
    text = f"已停止 stopped: {', '.join(ended)}" if ended else "没有在运行的进程 nothing was running"
    emit({"stopped": ended}, as_json, lambda: text)


def restart(only: Only = None, as_json: AsJson = False) -> None:
    """重启指定部件；不指定则全部重启，并采用新的设置。

    Restarts the parts of --only; without it the whole stack, which then takes new settings.
    """
    config, parts = settings(), _parts(only)
    warn_of_unknown_settings()
    with spinner("停止中 stopping …", quiet=as_json) as show:
        stopped = stack.stop(config, parts) if parts else stack.down(config, show)
        result = bring_up(config, parts, show)
    text = f"已重启 restarted: {', '.join(result.started)}"
    emit({"stopped": stopped, "started": result.started}, as_json, lambda: text)


def logs(
    part: Annotated[str, typer.Argument(help=f"部件 part: {', '.join(_WITH_LOGS)}; 缺省列出 without it, a list")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="行数 how many lines")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="持续显示 follow new lines")] = False,
    as_json: AsJson = False,
) -> None:
    """看某个部件的日志。

    Shows the log of a part; without a part, lists all logs.
    """
    if not part:
        existing = _existing_logs(settings())
        emit({"logs": existing}, as_json, lambda: table("日志 logs", _LOG_COLUMNS, (log.values() for log in existing)))
        return
    path = log_file(settings(), part)
    if not path.exists():
        raise UserFault(f"{part} 还没有日志 has no log yet ({path})")
    with path.open(encoding="utf-8", errors="replace") as file:
        last = [line.rstrip("\n") for line in deque(file, lines)]
        emit({"log": path, "lines": last}, as_json, lambda: Text("\n".join(last)))
        for line in _following(path) if follow and not as_json else ():
            console.print(line, markup=False, soft_wrap=True, end="")


def _existing_logs(config: Settings) -> list[dict[str, Any]]:
    files = {part: log_file(config, part) for part in _WITH_LOGS}
    return [
        {
            "part": part,
            "bytes": file.stat().st_size,
            "written_at": datetime.fromtimestamp(file.stat().st_mtime, SHANGHAI),
            "file": str(file),
        }
        for part, file in files.items()
        if file.exists()
    ]


def log_file(config: Settings, part: str) -> Path:
    """The log of a part. Raises UserFault when there is no part of this name."""
    if part == "clickhouse-server":
        return config.home / "clickhouse" / "server.log"
    if part not in (*NAMES, "supervisord"):
        raise UserFault(f"没有这个部件 there is no part {part!r}; 可选 choose from: {', '.join(_WITH_LOGS)}")
    return config.logs / f"{part}.log"


def _following(path: Path) -> Iterator[str]:
    """Lines as they are appended; reopens the log when it was rotated."""
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

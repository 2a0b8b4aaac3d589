"""The embedded stack as a whole: start it, stop it, stop some of its parts."""

import time
import xmlrpc.client
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import Timeout

from infra.local import Notify
from infra.local.fetch.java import find_java
from infra.local.files import last_lines, locked
from infra.local.services.programs import NAMES, ON_DEMAND, SERVICES, WORKERS, Program, programs
from infra.local.sockets import remove_sockets
from infra.local.supervise import leftovers, ports, supervisor
from infra.local.supervise.environment import changed_since_start, environment, remember
from infra.settings import Settings
from pipelines.errors import UserFault

_READY_SECONDS = 180.0
_TRIES = 3  # failed starts before the wait ends; the supervisor's own limit is higher
_ALIVE = ("RUNNING", "STARTING", "STOPPING", "BACKOFF")


class StackFault(UserFault):
    """A part did not start. `lines` are the last lines of its log."""

    def __init__(self, program: Program, why: str, log: Path) -> None:
        super().__init__(f"部件没有启动 {program.name} did not start ({why}); 看日志末尾 see the end of {log}")
        self.lines = last_lines(log)


@dataclass(frozen=True)
class Started:
    """Names of the programs that `up` started, and of those that were already running."""

    started: tuple[str, ...]
    already: tuple[str, ...]


def up(
    settings: Settings,
    only: Collection[str] = (),
    notify: Notify = lambda _: None,
    after_services: Callable[[], None] | None = None,
) -> Started:
    """Start what is not running, and wait until each part is ready.

    Args:
        only: names to start (see `programs.NAMES`); empty for all but the simulator.
        notify: gets a line for people at each step.
        after_services: called when Kafka and ClickHouse are both ready, before the parts that need a topic and tables.

    Raises:
        UserFault: a port is in use, a folder cannot be written, or settings changed since the stack started.
        StackFault: a part ended or did not get ready; the others keep running.
    """
    with _locked(settings, notify):
        wanted = _wanted(settings, only)
        client = supervisor.client(settings)
        if client is not None and (changed := changed_since_start(settings)):
            raise UserFault(
                f"运行中的部件用的是旧设置 the running stack has other settings ({', '.join(changed)}); "
                "请先停止 stop it first: gridstream down"
            )
        if client is None:
            _end_leftovers(settings, notify)
        missing = [program for program in wanted if not _is_running(client, program)]
        if missing:
            client = _prepared(settings, missing, client, notify)
            _start_all(settings, client, missing, notify, after_services)
        names = tuple(program.name for program in missing)
        return Started(names, tuple(program.name for program in wanted if program.name not in names))


def _wanted(settings: Settings, only: Collection[str]) -> list[Program]:
    known = programs(settings, find_java(settings.cache))
    for name in only:
        if name not in NAMES:
            raise UserFault(f"没有此部件 there is no part {name!r}; 可选 choose from {', '.join(NAMES)}")
        if name not in {program.name for program in known}:
            raise UserFault(f"设置指定了外部服务 settings name an external {name}; 不由本机启动 it is not started here")
    return [program for program in known if program.name in (only or (*SERVICES, *WORKERS))]


def _is_running(client: Any | None, program: Program) -> bool:
    return client is not None and _is_ready(program, client.getProcessInfo(program.name)["statename"])


def _prepared(settings: Settings, missing: list[Program], client: Any | None, notify: Notify) -> Any:
    """Check ports, prepare each program, then start the supervisor; most faults are found before anything runs."""
    java = find_java(settings.cache)
    for program in missing:
        if client is None or client.getProcessInfo(program.name)["statename"] not in _ALIVE:
            ports.require_free(settings, program.ports)
    for program in missing:
        program.prepare(notify)
    if client is None:
        known = programs(settings, java)
        for program in known:  # the supervisor does not start if a folder is missing
            program.directory.mkdir(parents=True, exist_ok=True)
        client = supervisor.start(settings, known, environment(settings, java))
        remember(settings)
    return client


def _start_all(
    settings: Settings,
    client: Any,
    missing: list[Program],
    notify: Notify,
    after_services: Callable[[], None] | None,
) -> None:
    """Start the services in parallel, call `after_services`, then start the rest in parallel."""
    services = [program for program in missing if program.name in SERVICES]
    others = [program for program in missing if program.name not in SERVICES]
    _start(settings, client, services, notify)
    known = programs(settings, find_java(settings.cache))
    services_ready = all(_is_running(client, program) for program in known if program.name in SERVICES)
    if after_services is not None and services_ready and any(program.name not in ON_DEMAND for program in missing):
        after_services()
    _start(settings, client, others, notify)


def _start(settings: Settings, client: Any, selected: list[Program], notify: Notify) -> None:
    for program in selected:
        if client.getProcessInfo(program.name)["statename"] not in _ALIVE:
            client.startProcess(program.name, False)
    for program in selected:
        begun = time.monotonic()
        _wait_until_ready(settings, client, program, notify)
        notify(f"{program.title} 就绪 ready ({time.monotonic() - begun:.1f} s)")


def _wait_until_ready(settings: Settings, client: Any, program: Program, notify: Notify) -> None:
    begun, failures, before = time.monotonic(), 0, ""
    while (waited := time.monotonic() - begun) < _READY_SECONDS:
        state = client.getProcessInfo(program.name)["statename"]
        if _is_ready(program, state):
            return
        failures += state == "BACKOFF" != before
        before = state
        if state not in _ALIVE or failures >= _TRIES:
            break
        notify(f"{program.title} 启动中 starting … {waited:.0f} s")
        time.sleep(0.2)
    log = settings.logs / f"{program.name}.log"
    why = (
        f"未就绪 not ready after {_READY_SECONDS:.0f} s" if waited >= _READY_SECONDS else "自行退出 it ended by itself"
    )
    if before != "RUNNING":
        stop(settings, [program.name])  # otherwise the supervisor keeps trying in the background
    raise StackFault(program, why, log)


def _is_ready(program: Program, state: str) -> bool:
    if program.answers is None:
        return state == "RUNNING"
    return state in ("RUNNING", "STARTING") and program.answers()


def stop(settings: Settings, names: Collection[str]) -> tuple[str, ...]:
    """Stop the named programs only; returns those that were running."""
    client, stopped = supervisor.client(settings, timeout=120), []
    for name in sorted(names, key=NAMES.index, reverse=True) if client is not None else ():
        try:
            if client is not None and client.stopProcess(name):
                stopped.append(name)
        except xmlrpc.client.Fault:  # not running, or not part of this stack
            continue
    return tuple(stopped)


def down(settings: Settings, notify: Notify = lambda _: None) -> tuple[str, ...]:
    """End every process of this stack, even without its supervisor; returns their names.

    Raises:
        UserFault: a process did not end.
    """
    if not settings.run.is_dir():
        return ()
    with _locked(settings, notify):
        ended = {leftovers.program_of(process) for process in leftovers.marked(settings.home)}
        if (client := supervisor.client(settings)) is not None:
            _shut_down(client, notify)
        _end_leftovers(settings, notify)
        if alive := leftovers.marked(settings.home):
            pids = ", ".join(str(process.pid) for process in alive)
            raise UserFault(f"进程无法结束 could not end these processes: {pids}")
        remove_sockets(settings)
        return tuple(name for name in NAMES if name in ended)


def _shut_down(client: Any, notify: Notify) -> None:
    """Ask the supervisor to stop all programs, last started first, and itself; wait until it has ended."""
    try:
        process = psutil.Process(client.getPID())
        client.shutdown()
    except (psutil.Error, xmlrpc.client.Fault, OSError):
        return
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        alive = {leftovers.program_of(child) for child in process.children()}
        notify(f"停止中 stopping {', '.join(name for name in NAMES if name in alive)} …")
        time.sleep(0.2)


def _end_leftovers(settings: Settings, notify: Notify) -> None:
    if processes := leftovers.marked(settings.home):
        notify(f"结束上次留下的进程 ending {len(processes)} processes that an earlier run left behind …")
        leftovers.end(processes)


@contextmanager
def _locked(settings: Settings, notify: Notify) -> Iterator[None]:
    """Allow one `up` or `down` at a time per home."""
    waiting = "另一个 up 或 down 正在进行，等待中 waiting for another up or down …"
    with ExitStack() as locks:
        try:
            locks.enter_context(locked(settings.run / "stack.lock", lambda: notify(waiting), patience=600))
        except Timeout:
            raise UserFault(
                "另一个 up 或 down 十分钟仍未结束 another `gridstream up` or `down` has run for 10 minutes; "
                "请结束它 end that process"
            ) from None
        except OSError as error:
            raise UserFault(
                f"无法写入 cannot write {settings.run} ({error.strerror}); "
                "请设置 set GRIDSTREAM_HOME to a folder that you may write"
            ) from error
        yield

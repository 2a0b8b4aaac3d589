"""The embedded stack as a whole: bring it up, take it down, see how it is."""

import time
import xmlrpc.client
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import Timeout

from infra.local.fetch.jars import Say
from infra.local.fetch.java import find_java
from infra.local.files import last_lines, locked
from infra.local.services.programs import NAMES, ON_DEMAND, SERVICES, WORKERS, Program, programs
from infra.local.sockets import remove_sockets
from infra.local.supervise import leftovers, ports, supervisor
from infra.local.supervise.environment import changed_since_start, environment, remember
from infra.settings import Settings
from pipelines.errors import UserFault

_READY_SECONDS = 180.0
_TRIES = 3  # deaths at start before we give up waiting; the supervisor's own limit is higher
_ALIVE = ("RUNNING", "STARTING", "STOPPING", "BACKOFF")


class StackFault(UserFault):
    """A part did not start. `lines` are the last of its log."""

    def __init__(self, program: Program, why: str, log: Path) -> None:
        super().__init__(f"{program.name} did not start ({why}); the end of {log} says why")
        self.lines = last_lines(log)


@dataclass(frozen=True)
class Started:
    """Names of the programs that `up` started, and of those that ran already."""

    started: tuple[str, ...]
    already: tuple[str, ...]


def up(
    settings: Settings,
    only: Collection[str] = (),
    progress: Say = lambda _: None,
    after_services: Callable[[], None] | None = None,
) -> Started:
    """Start what is not running, and wait until each part is ready.

    Args:
        only: names to start (see `programs.NAMES`); empty for all but the simulator.
        progress: gets a line of text whenever there is something to tell.
        after_services: called when Kafka and ClickHouse are both ready, before what needs a topic and tables.

    Raises:
        UserFault: a port is taken, a folder cannot be written, settings changed since the stack started.
        StackFault: a part died or did not get ready; the others go on running.
    """
    with _locked(settings, progress):
        wanted = _wanted(settings, only)
        client = supervisor.client(settings)
        if client is not None and (changed := changed_since_start(settings)):
            raise UserFault(f"the running stack has other settings ({', '.join(changed)}); run `gridstream down` first")
        if client is None:
            _end_leftovers(settings, progress)
        missing = [program for program in wanted if not _is_running(client, program)]
        if missing:
            client = _prepared(settings, missing, client, progress)
            _start_all(settings, client, missing, progress, after_services)
        names = tuple(program.name for program in missing)
        return Started(names, tuple(program.name for program in wanted if program.name not in names))


def _wanted(settings: Settings, only: Collection[str]) -> list[Program]:
    known = programs(settings, find_java(settings.cache))
    for name in only:
        if name not in NAMES:
            raise UserFault(f"there is no part {name!r}; choose from {', '.join(NAMES)}")
        if name not in {program.name for program in known}:
            raise UserFault(f"{name} is not ours to start: settings name an external one")
    return [program for program in known if program.name in (only or (*SERVICES, *WORKERS))]


def _is_running(client: Any | None, program: Program) -> bool:
    return client is not None and _is_ready(program, client.getProcessInfo(program.name)["statename"])


def _prepared(settings: Settings, missing: list[Program], client: Any | None, progress: Say) -> Any:
    """All that can go wrong before anything runs: ports, downloads, folders; then the supervisor itself."""
    java = find_java(settings.cache)
    for program in missing:
        if client is None or client.getProcessInfo(program.name)["statename"] not in _ALIVE:
            ports.require_free(settings, program.ports)
    for program in missing:
        program.prepare(progress)
    if client is None:
        known = programs(settings, java)
        for program in known:  # the supervisor refuses a folder that is missing
            program.directory.mkdir(parents=True, exist_ok=True)
        client = supervisor.start(settings, known, environment(settings, java))
        remember(settings)
    return client


def _start_all(
    settings: Settings,
    client: Any,
    missing: list[Program],
    progress: Say,
    after_services: Callable[[], None] | None,
) -> None:
    """The services side by side, then the hook, then the rest side by side."""
    services = [program for program in missing if program.name in SERVICES]
    others = [program for program in missing if program.name not in SERVICES]
    _start(settings, client, services, progress)
    if after_services is not None and _services_ready(settings, client) and _more_than_on_demand(missing):
        after_services()
    _start(settings, client, others, progress)


def _services_ready(settings: Settings, client: Any) -> bool:
    """Whether all services that are ours run; true when somebody else runs them."""
    known = programs(settings, find_java(settings.cache))
    return all(_is_running(client, program) for program in known if program.name in SERVICES)


def _more_than_on_demand(some: list[Program]) -> bool:
    return any(program.name not in ON_DEMAND for program in some)


def _start(settings: Settings, client: Any, some: list[Program], progress: Say) -> None:
    for program in some:
        if client.getProcessInfo(program.name)["statename"] not in _ALIVE:
            client.startProcess(program.name, False)
    for program in some:
        begun = time.monotonic()
        _await(settings, client, program, progress)
        progress(f"{program.title} 就绪 ready ({time.monotonic() - begun:.1f} s)")


def _await(settings: Settings, client: Any, program: Program, progress: Say) -> None:
    begun, deaths, before = time.monotonic(), 0, ""
    while (waited := time.monotonic() - begun) < _READY_SECONDS:
        state = client.getProcessInfo(program.name)["statename"]
        if _is_ready(program, state):
            return
        deaths += state == "BACKOFF" != before
        before = state
        if state not in _ALIVE or deaths >= _TRIES:
            break
        progress(f"{program.title} 启动中 starting … {waited:.0f} s")
        time.sleep(0.2)
    log = settings.logs / f"{program.name}.log"
    why = f"not ready after {_READY_SECONDS:.0f} s" if waited >= _READY_SECONDS else "it ended by itself"
    if before != "RUNNING":
        stop(settings, [program.name])  # or the supervisor would try again behind our back
    raise StackFault(program, why, log)


def _is_ready(program: Program, state: str) -> bool:
    if program.answers is None:
        return state == "RUNNING"
    return state in ("RUNNING", "STARTING") and program.answers()


def stop(settings: Settings, names: Collection[str]) -> tuple[str, ...]:
    """Stop some programs and leave the rest; returns those that were running."""
    client, stopped = supervisor.client(settings, timeout=120), []
    for name in sorted(names, key=NAMES.index, reverse=True) if client is not None else ():
        try:
            if client is not None and client.stopProcess(name):
                stopped.append(name)
        except xmlrpc.client.Fault:  # not running, or not part of this stack
            continue
    return tuple(stopped)


def down(settings: Settings, progress: Say = lambda _: None) -> tuple[str, ...]:
    """End every process of this stack, whether or not its supervisor still lives; returns their names.

    Raises:
        UserFault: a process would not end.
    """
    if not settings.run.is_dir():
        return ()
    with _locked(settings, progress):
        ended = {leftovers.program_of(process) for process in leftovers.marked(settings.home)}
        if (client := supervisor.client(settings)) is not None:
            _shut_down(client, progress)
        _end_leftovers(settings, progress)
        if stubborn := leftovers.marked(settings.home):
            raise UserFault(f"could not end these processes: {', '.join(str(p.pid) for p in stubborn)}")
        remove_sockets(settings)
        return tuple(name for name in NAMES if name in ended)


def _shut_down(client: Any, progress: Say) -> None:
    """Ask the supervisor to stop everything, last started first, and itself; watch until it is gone."""
    try:
        process = psutil.Process(client.getPID())
        client.shutdown()
    except (psutil.Error, xmlrpc.client.Fault, OSError):
        return
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        alive = {leftovers.program_of(child) for child in process.children()}
        progress(f"停止中 stopping {', '.join(name for name in NAMES if name in alive)} …")
        time.sleep(0.2)


def _end_leftovers(settings: Settings, progress: Say) -> None:
    left = leftovers.marked(settings.home)
    if left:
        progress(f"结束上次留下的进程 ending {len(left)} processes that an earlier life left behind …")
        leftovers.end(left)


@contextmanager
def _locked(settings: Settings, progress: Say) -> Iterator[None]:
    """One `up` or `down` at a time for a home."""
    waiting = "另一个 up 或 down 正在进行，等待中 waiting for another up or down …"
    with ExitStack() as held:
        try:
            held.enter_context(locked(settings.run / "stack.lock", lambda: progress(waiting), patience=600))
        except Timeout:
            raise UserFault("another `gridstream up` or `down` has been at work for 10 minutes; end it") from None
        except OSError as error:
            raise UserFault(f"cannot write {settings.run} ({error.strerror}); set GRIDSTREAM_HOME") from error
        yield

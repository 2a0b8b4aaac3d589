"""How the parts of the stack are right now, for `gridstream status`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from infra.local.fetch.java import find_java
from infra.local.services.programs import NAMES, SERVICES, Program, programs
from infra.local.supervise import leftovers, supervisor
from infra.settings import Settings

ProcessCondition = Literal["running", "starting", "stopping", "stopped", "failed", "orphaned", "external"]
_STATES: dict[str, ProcessCondition] = {
    "RUNNING": "running",
    "STARTING": "starting",
    "BACKOFF": "starting",
    "STOPPING": "stopping",
    "STOPPED": "stopped",
    "EXITED": "stopped",
    "FATAL": "failed",
}


@dataclass(frozen=True)
class ProcessState:
    """One part. `orphaned`: it runs, but its supervisor is gone; `up` or `down` will end it.

    `restarts` are the times it ended by itself since the supervisor started; `memory_bytes` is
    resident, with children. What does not apply is None.
    """

    name: str
    title: str
    state: ProcessCondition
    pid: int | None = None
    port: int | None = None
    uptime_seconds: float | None = None
    memory_bytes: int | None = None
    version: str | None = None
    restarts: int | None = None
    address: str | None = None
    log: Path | None = None


def processes(settings: Settings) -> list[ProcessState]:
    """The parts in the order they start; services that somebody else runs are `external`."""
    known = {program.name: program for program in programs(settings, find_java(settings.cache))}
    client = supervisor.client(settings)
    infos = {} if client is None else {info["name"]: info for info in client.getAllProcessInfo()}
    lost = {} if infos else {leftovers.program_of(p): p.pid for p in reversed(leftovers.marked(settings.home))}
    ended = _endings(settings.logs / "supervisord.log")
    return [
        _state(settings, known[name], infos.get(name), lost.get(name), ended)
        if name in known
        else _external(settings, name)
        for name in NAMES
    ]


def _state(
    settings: Settings, program: Program, info: dict[str, Any] | None, lost: int | None, ended: dict[str, int]
) -> ProcessState:
    state: ProcessCondition = _STATES.get(info["statename"], "failed") if info else "orphaned" if lost else "stopped"
    pid = (info["pid"] or None) if info else lost
    return ProcessState(
        name=program.name,
        title=program.title,
        state=state,
        pid=pid,
        port=getattr(settings, program.ports[0]) if program.ports else None,
        uptime_seconds=float(info["now"] - info["start"]) if info and state == "running" else None,
        memory_bytes=_memory(pid) if pid else None,
        version=program.version,
        restarts=ended.get(program.name, 0) if info else None,
        log=settings.logs / f"{program.name}.log",
    )


def _external(settings: Settings, name: str) -> ProcessState:
    address = settings.kafka_bootstrap if name == SERVICES[0] else settings.clickhouse_url
    return ProcessState(name, name, "external", address=address)


def _memory(pid: int) -> int | None:
    try:
        process = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))
    except psutil.Error:
        return None


def _endings(log: Path) -> dict[str, int]:
    """How often each program ended by itself in the supervisor's present life, from its log (at most 5 MB)."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    life = text.rpartition("supervisord started with pid")[2]
    found = re.findall(r" exited: (\S+) ", life)
    return {name: found.count(name) for name in set(found)}

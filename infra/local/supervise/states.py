"""The current state of each part of the stack, for `gridstream status`."""

import re
from collections import Counter
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
    """One part. `orphaned`: it runs without its supervisor, and `up` or `down` will end it.

    restarts: how often it ended by itself since the supervisor started.
    memory_bytes: resident, children included.
    What does not apply is None.
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
    """The parts in the order in which they start; a service with an address in the settings is `external`."""
    known = {program.name: program for program in programs(settings, find_java(settings.cache))}
    client = supervisor.client(settings)
    infos = {} if client is None else {info["name"]: info for info in client.getAllProcessInfo()}
    orphans = {} if infos else {leftovers.program_of(p): p.pid for p in reversed(leftovers.marked(settings.home))}
    exits = _exits(settings.logs / "supervisord.log")
    return [
        _state(settings, known[name], infos.get(name), orphans.get(name), exits)
        if name in known
        else _external(settings, name)
        for name in NAMES
    ]


def _state(
    settings: Settings, program: Program, info: dict[str, Any] | None, orphan: int | None, exits: dict[str, int]
) -> ProcessState:
    state: ProcessCondition = _STATES.get(info["statename"], "failed") if info else "orphaned" if orphan else "stopped"
    pid = (info["pid"] or None) if info else orphan
    return ProcessState(
        name=program.name,
        title=program.title,
        state=state,
        pid=pid,
        port=getattr(settings, program.ports[0]) if program.ports else None,
        uptime_seconds=float(info["now"] - info["start"]) if info and state == "running" else None,
        memory_bytes=_memory(pid) if pid else None,
        version=program.version,
        restarts=exits.get(program.name, 0) if info else None,
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


def _exits(log: Path) -> dict[str, int]:
    """How often each program ended by itself since the supervisor started, from its log (at most 5 MB)."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    since_start = text.rpartition("supervisord started with pid")[2]
    return dict(Counter(re.findall(r" exited: (\S+) ", since_start)))

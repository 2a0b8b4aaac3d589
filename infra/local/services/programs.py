"""The processes of the embedded stack, in the order in which they start."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from infra.local import Notify
from infra.local.fetch.jars import KAFKA, SPARK_KAFKA, jars
from infra.local.fetch.java import Java
from infra.local.services import clickhouse, dagster, kafka
from infra.local.services.simulator import gridstream
from infra.settings import Settings
from pipelines.watch.health import judge
from pipelines.watch.observe import observe_process

SERVICES = ("kafka", "clickhouse")  # the others need them; started first
WORKERS = ("stream", "dagster-code", "dagster-webserver", "dagster-daemon")
ON_DEMAND = ("simulator",)
NAMES = (*SERVICES, *WORKERS, *ON_DEMAND)


@dataclass(frozen=True)
class Program:
    """One process: its start command, its preparation, and the check that it is ready."""

    name: str
    title: str
    version: str
    command: Callable[[], list[str]]
    directory: Path
    prepare: Callable[[Notify], None]
    ports: tuple[str, ...] = ()  # fields of Settings; clients connect to the first
    answers: Callable[[], bool] | None = None  # None: ready once it has run for START_SECONDS
    stop_seconds: int = 30
    clean_exits: tuple[int, ...] = ()  # exit codes after which the supervisor does not restart it


def programs(settings: Settings, java: Java) -> tuple[Program, ...]:
    """Programs of this stack. A service with an address in the settings runs elsewhere and is left out."""
    services = []
    if settings.kafka is None:
        services.append(_kafka(settings, java))
    if settings.clickhouse_url is None:
        services.append(_clickhouse(settings))
    return (*services, _stream(settings, java), *_dagster(settings), _simulator(settings))


def _kafka(settings: Settings, java: Java) -> Program:
    return Program(
        "kafka",
        "Kafka",
        KAFKA.version,
        lambda: kafka.command(settings, java),
        kafka.directory(settings),
        lambda notify: kafka.prepare(settings, java, notify),
        ("kafka_port", "kafka_controller_port"),
        lambda: kafka.answers(settings),
    )


def _clickhouse(settings: Settings) -> Program:
    folder = clickhouse.directory(settings)
    return Program(
        "clickhouse",
        "ClickHouse",
        f"chdb {version('chdb')}",
        lambda: [sys.executable, "-m", "infra.local.services.clickhouse_server", str(folder)],
        folder,
        lambda _: clickhouse.prepare(settings),
        ("clickhouse_port", "clickhouse_tcp_port"),
        lambda: clickhouse.answers(settings),
    )


def _stream(settings: Settings, java: Java) -> Program:
    def prepare(notify: Notify) -> None:
        jars(SPARK_KAFKA, settings.cache, java, ivy_settings=settings.ivy_settings, notify=notify)

    return Program(
        "stream",
        "流作业 stream",
        f"Spark {version('pyspark')}",
        lambda: [sys.executable, gridstream(), "stream", "run"],
        settings.home,
        prepare,
        answers=lambda: judge(observe_process(settings.run / "stream.json")).up,
        stop_seconds=60,
        clean_exits=(0, 3),  # 3: a position fault, which a person must decide
    )


def _dagster(settings: Settings) -> tuple[Program, ...]:
    """One process serves the project's code to the web UI and the daemon.

    If each loaded the code itself, the daemon would load it again every minute. Measured over 150 idle seconds:
    10.1 s of CPU time and 614 MB, against 3.6 s and 377 MB with one code server.
    """
    workspace = ["-w", str(dagster.workspace(settings))]
    serve = [sys.executable, "-m", "infra.local.services.dagster_web"]
    return (
        _dagster_part(settings, "code", "代码 code", dagster.code_server(settings), lambda: dagster.has_code(settings)),
        _dagster_part(
            settings, "webserver", "网页 web UI", serve, lambda: dagster.answers(settings), ("dagster_port",)
        ),
        _dagster_part(settings, "daemon", "调度 daemon", [sys.executable, "-m", "dagster._daemon", "run", *workspace]),
    )


def _dagster_part(
    settings: Settings,
    name: str,
    title: str,
    command: list[str],
    answers: Callable[[], bool] | None = None,
    ports: tuple[str, ...] = (),
) -> Program:
    def prepare(notify: Notify) -> None:
        dagster.prepare(settings)
        dagster.make_tables(settings, notify)

    return Program(
        f"dagster-{name}",
        f"Dagster {title}",
        version("dagster"),
        lambda: command,
        settings.home,
        prepare,
        ports,
        answers,
    )


def _simulator(settings: Settings) -> Program:
    return Program(
        "simulator",
        "模拟城市 simulator",
        version("gridstream"),
        lambda: [sys.executable, "-m", "infra.local.services.simulator"],
        settings.home,
        lambda _: None,
        clean_exits=(0,),
    )

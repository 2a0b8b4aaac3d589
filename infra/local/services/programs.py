"""The processes of the embedded stack, in the order they start."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from infra.local.fetch.jars import SPARK_KAFKA, Say, jars
from infra.local.fetch.java import Java
from infra.local.services import clickhouse, dagster, kafka
from infra.local.services.simulator import gridstream
from infra.settings import Settings
from pipelines.watch.health import judge
from pipelines.watch.observe import observe_process

SERVICES = ("kafka", "clickhouse")  # what the others need; started first
WORKERS = ("stream", "dagster-code", "dagster-webserver", "dagster-daemon")
ON_DEMAND = ("simulator",)
NAMES = (*SERVICES, *WORKERS, *ON_DEMAND)


@dataclass(frozen=True)
class Program:
    """One process: what starts it, what it needs first, and how we see that it is ready."""

    name: str
    title: str
    version: str
    command: Callable[[], list[str]]
    directory: Path
    prepare: Callable[[Say], None]
    ports: tuple[str, ...] = ()  # names of the settings that hold them; the first is the one to connect to
    answers: Callable[[], bool] | None = None  # None: alive for START_SECONDS is ready
    stop_seconds: int = 30
    clean_exits: tuple[int, ...] = ()  # exit codes after which it is not started again


def programs(settings: Settings, java: Java) -> tuple[Program, ...]:
    """Programs of this stack. A service that somebody else runs (its address is set) is left out."""
    found = []
    if settings.kafka is None:
        found.append(_kafka(settings, java))
    if settings.clickhouse_url is None:
        found.append(_clickhouse(settings))
    return (*found, _stream(settings, java), *_dagster(settings), _simulator(settings))


def _kafka(settings: Settings, java: Java) -> Program:
    return Program(
        "kafka",
        "Kafka",
        "4.1.1",
        lambda: kafka.command(settings, java),
        kafka.directory(settings),
        lambda say: kafka.prepare(settings, java, say),
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
    def prepare(say: Say) -> None:
        jars(SPARK_KAFKA, settings.cache, java, ivy_settings=settings.ivy_settings, progress=say)

    return Program(
        "stream",
        "流作业 stream",
        f"Spark {version('pyspark')}",
        lambda: [sys.executable, gridstream(), "stream", "run"],
        settings.home,
        prepare,
        answers=lambda: judge(observe_process(settings.run / "stream.json")).up,
        stop_seconds=60,
        clean_exits=(0, 3),  # 3: the position in Kafka is wrong; a person has to decide
    )


def _dagster(settings: Settings) -> tuple[Program, ...]:
    """One process holds our code; the web UI and the daemon ask it. Before, each had a copy and the daemon loaded
    its own anew each minute: 10.1 s of processor time in 150 idle seconds against 3.6 s, 614 MB against 377 MB."""
    workspace = ["-w", str(dagster.workspace(settings))]
    port = str(settings.dagster_port)
    serve = [sys.executable, "-m", "dagster_webserver", *workspace, "-h", settings.host, "-p", port]
    return (
        _of_dagster(settings, "code", "代码 code", dagster.code_server(settings), lambda: dagster.has_code(settings)),
        _of_dagster(settings, "webserver", "网页 web UI", serve, lambda: dagster.answers(settings), ("dagster_port",)),
        _of_dagster(settings, "daemon", "调度 daemon", [sys.executable, "-m", "dagster._daemon", "run", *workspace]),
    )


def _of_dagster(
    settings: Settings,
    name: str,
    title: str,
    command: list[str],
    answers: Callable[[], bool] | None = None,
    ports: tuple[str, ...] = (),
) -> Program:
    def prepare(say: Say) -> None:
        dagster.prepare(settings)
        dagster.make_tables(settings, say)

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

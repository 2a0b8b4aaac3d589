"""The embedded Kafka: one KRaft node. Configuration, formatting of the data folder, start command, topic."""

import os
import socket
import subprocess
from pathlib import Path

from infra.local import Notify
from infra.local.fetch.jars import KAFKA, jars
from infra.local.fetch.java import Java
from infra.local.files import last_lines, write_private
from infra.settings import Settings, join_address
from pipelines.errors import TransientFault, UserFault
from pipelines.services.kafka import TopicSpec, admin, ensure_topic

_CLUSTER_ID = "Z3JpZHN0cmVhbS1ub2RlMQ"  # 16 bytes in base64; a cluster of one node may have any id
_LOG4J = Path(__file__).parent / "log4j2-kafka.xml"
_HOUR_MS = 3_600_000


def directory(settings: Settings) -> Path:
    return settings.home / "kafka"


def server_properties(settings: Settings) -> str:
    """`server.properties` of broker and controller in one process; paths relative to its folder."""
    broker = settings.local_address(settings.kafka_port)
    # Kafka's formatter (4.1) cannot read the IPv6 address of a controller.
    controller_host = "127.0.0.1" if ":" in settings.local_host else settings.local_host
    controller = f"{controller_host}:{settings.kafka_controller_port}"
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": controller,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{join_address(settings.host, settings.kafka_port)},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "log.dirs": "data",
        "auto.create.topics.enable": "false",  # a mistyped topic must fail, not accept messages
        "num.partitions": settings.partitions,
        "message.max.bytes": int(settings.max_message_bytes),
        "replica.fetch.max.bytes": int(settings.max_message_bytes),
        "log.retention.ms": settings.retention_days * 24 * _HOUR_MS,
        "log.segment.bytes": 256 * 1024**2,
        "log.roll.ms": 24 * _HOUR_MS,  # retention deletes whole segments
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def prepare(settings: Settings, java: Java, notify: Notify = lambda _: None) -> None:
    """Fetch the jars if the cache lacks them, write the configuration, and format a new data folder.

    Raises:
        UserFault: the jars cannot be fetched, a folder cannot be written, or Kafka's formatter fails.
    """
    jars(KAFKA, settings.cache, java, ivy_settings=settings.ivy_settings, notify=notify)
    folder = directory(settings)
    write_private(folder / "server.properties", server_properties(settings))
    if (folder / "data" / "meta.properties").exists():
        return
    log = folder / "format.log"
    command: list[Path | str] = [java.executable, "-Xmx128m", "-cp", _classpath(settings)]
    command += ["kafka.tools.StorageTool", "format"]
    command += ["--cluster-id", _CLUSTER_ID, "--standalone", "--ignore-formatted", "--config", "server.properties"]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.run(  # noqa: S603
            command, cwd=folder, env=os.environ | {"LC_ALL": "C.UTF-8"}, stdout=file, stderr=file, check=False
        )
    if process.returncode:
        reason = " ".join(last_lines(log, 2))
        raise UserFault(f"Kafka 无法格式化数据目录 cannot format {folder / 'data'}: {reason} (see {log})")


def command(settings: Settings, java: Java) -> list[str]:
    """The start command of the broker, to be run in `directory()` after `prepare()`."""
    heap = settings.kafka_memory
    return [
        str(java.executable),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseG1GC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={_LOG4J.as_uri()}",
        "-cp",
        _classpath(settings),
        "kafka.Kafka",
        "server.properties",
    ]


def _classpath(settings: Settings) -> str:
    return f"{KAFKA.folder(settings.cache)}{os.sep}*"


def answers(settings: Settings) -> bool:
    """Whether the broker returns metadata."""
    try:
        socket.create_connection((settings.local_host, settings.kafka_port), timeout=2).close()
    except OSError:
        return False
    try:
        with admin(settings.kafka_bootstrap, timeout=2) as client:
            return bool(client.describe_cluster()["brokers"])
    except TransientFault:
        return False


def make_topic(settings: Settings) -> bool:
    """Create the topic if it is missing; returns and raises as `pipelines.services.kafka.ensure_topic` does."""
    spec = TopicSpec(
        settings.topic,
        settings.partitions,
        settings.retention_days,
        int(settings.max_message_bytes),
        settings.replication,
    )
    return ensure_topic(settings.kafka_bootstrap, spec)

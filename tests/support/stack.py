"""A stack that tests start on free ports, and a test's own topic and database on it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from clickhouse_connect.driver.client import Client

from infra.local.fetch.java import find_java
from infra.local.services.simulator import gridstream
from infra.local.supervise.environment import environment
from infra.settings import Settings
from pipelines.database import migrate
from pipelines.services.clickhouse import connect
from pipelines.services.kafka import TopicSpec, ensure_topic
from pipelines.stream.state import StreamState, read_state
from pipelines.watch.lag import wait_until_loaded

# Runs the stream for a block: the fixture `streaming`.
Streaming = Callable[[], AbstractContextManager["subprocess.Popen[bytes]"]]


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def own_settings(home: Path, **changes: object) -> Settings:
    """Settings of a stack on free ports, blind to the environment's own GRIDSTREAM_ variables."""
    names = ("kafka_port", "kafka_controller_port", "clickhouse_port", "clickhouse_tcp_port", "dagster_port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    own = {name: value for name, value in os.environ.items() if name.startswith("GRIDSTREAM_")}
    kept = {
        name.removeprefix("GRIDSTREAM_").lower(): own[name] for name in own if name.endswith(("_CACHE", "_SETTINGS"))
    }
    for name in own:
        del os.environ[name]
    try:
        return Settings(_env_file=None, home=home, trigger_seconds=0.5, **ports, **kept, **changes)
    finally:
        os.environ.update(own)


@dataclass
class Stack:
    """A test's own topic and migrated database on the session's services. `settings` name both."""

    settings: Settings
    loader: Client = field(init=False)
    engineer: Client = field(init=False)

    def __post_init__(self) -> None:
        migrate.run(self.settings.clickhouse("loader"))
        self.loader = connect(self.settings.clickhouse("loader"))
        self.engineer = connect(self.settings.clickhouse("engineer"))
        ensure_topic(self.bootstrap, TopicSpec(self.topic, 2, 14, 16 * 2**20))

    @property
    def bootstrap(self) -> str:
        return self.settings.kafka_bootstrap

    @property
    def topic(self) -> str:
        return self.settings.topic

    @property
    def state(self) -> StreamState | None:
        return read_state(self.settings.run / "stream.json")

    def environment(self) -> dict[str, str]:
        """What a process of this stack finds in its environment."""
        return environment(self.settings, find_java(self.settings.cache))

    def stream_process(self) -> "subprocess.Popen[bytes]":
        """Start the stream as its supervisor would; its log goes to home/stream.log."""
        log = (self.settings.home / "stream.log").open("ab")
        command = [sys.executable, gridstream(), "stream", "run"]
        return subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log, start_new_session=True)

    def wait_until_loaded(self, timeout: float = 180) -> None:
        wait_until_loaded(self.engineer, self.bootstrap, self.topic, timeout)

    def scalar(self, query: str, **parameters: object) -> object:
        return self.engineer.query(query, parameters).result_rows[0][0]

    def close(self) -> None:
        self.loader.command(f"DROP DATABASE IF EXISTS {self.settings.database} SYNC")
        self.loader.close()
        self.engineer.close()


def end(process: "subprocess.Popen[bytes]") -> int:
    """Ask a process to end, and see that it does; its exit code."""
    process.terminate()
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        raise

"""The embedded stack in tests: settings with free ports, and a topic and a database for one test."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from clickhouse_connect.driver.client import Client

from infra.local.fetch.java import find_java
from infra.local.services.simulator import gridstream
from infra.local.supervise.environment import environment
from infra.settings import PREFIX, Settings
from pipelines.services.clickhouse import connect
from pipelines.services.kafka import TopicSpec, ensure_topic
from pipelines.stream.state import StreamState, read_state
from pipelines.watch.lag import wait_until_loaded

# Runs the stream for a block: the fixture `streaming`.
Streaming = Callable[[], AbstractContextManager["subprocess.Popen[bytes]"]]


def free_ports(count: int) -> list[int]:
    """Different ports that are free at the moment. Another process may still take one before it is used."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]


def own_settings(home: Path, **changes: object) -> Settings:
    """Settings of a stack on free ports. Of the GRIDSTREAM_ variables of this process only the caches count."""
    names = ("kafka_port", "kafka_controller_port", "clickhouse_port", "clickhouse_tcp_port", "dagster_port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    variables = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    caches = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in variables.items()
        if name.endswith(("_CACHE", "_SETTINGS"))
    }
    for name in variables:
        del os.environ[name]
    try:
        return Settings(_env_file=None, home=home, trigger_seconds=0.5, **ports, **caches, **changes)
    finally:
        os.environ.update(variables)


@dataclass
class Stack:
    """An empty topic and a migrated database for one test, on the services of the session. `settings` name both."""

    settings: Settings
    loader: Client = field(init=False)
    engineer: Client = field(init=False)

    def __post_init__(self) -> None:
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
        """The environment variables of a process of this stack."""
        return environment(self.settings, find_java(self.settings.cache))

    def stream_process(self) -> "subprocess.Popen[bytes]":
        """Start the stream with the supervisor's command. Its log is home/stream.log."""
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
    """Terminate a process and return its exit code.

    Raises:
        TimeoutExpired: it has not ended after 60 s; its process group is killed.
    """
    process.terminate()
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        raise

"""`gridstream bench`: measures speed on a topic and a database made for the measurement."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr
from rich.console import RenderableType

from infra.cli.bench.classify import classify
from infra.cli.shared.output import AsJson, Column, emit, progress, table
from infra.local.fetch.java import find_java
from infra.local.services.simulator import gridstream
from infra.local.supervise.environment import environment
from infra.settings import Settings, User, settings
from pipelines.database import migrate
from pipelines.errors import TransientFault
from pipelines.services import kafka
from pipelines.services.publish import Publisher
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.live import Live
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import city_model
from pipelines.sources.simulator.plan import Disorder, now_ms
from pipelines.sources.simulator.run import blocks, send
from pipelines.watch.lag import wait_until_loaded

CITY = "330200"
THROUGHPUT = Path(__file__).with_name("throughput.sql").read_text("utf-8")
LATENCY = Path(__file__).with_name("latency.sql").read_text("utf-8")
WRITERS: tuple[User, ...] = ("loader", "engineer")
_LONGEST = 3600.0  # seconds after which a measurement gives up
_COLD = 30  # seconds of a latency run that do not count
_BATCHES = 5  # micro-batches of a backlog; the first one is cold


@dataclass(frozen=True)
class _Bench:
    """A topic and a database that exist during the measurement, and the stream that loads them."""

    settings: Settings
    client: Client

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Run the stream as a separate process, as the supervisor does.

        Raises:
            TransientFault: the stream ended by itself.
        """
        env = environment(self.settings, find_java(self.settings.cache))
        log = (self.settings.home / "stream.log").open("wb")
        command = [sys.executable, gridstream(), "stream", "run"]
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)  # noqa: S603 - our own command
        try:
            yield
            if process.poll() is not None:
                raise TransientFault(f"the stream ended by itself; see {log.name}")
        finally:
            process.terminate()
            process.wait(60)

    def send(self, parts: Iterable[list[Sent]], total: int, quiet: bool) -> None:
        """Send the messages to the topic; `total`: how many, for the progress bar."""
        bootstrap, topic = self.settings.kafka_bootstrap, self.settings.topic
        with (
            Publisher(bootstrap, topic) as publisher,
            progress("发送 sending", total, quiet) as advance,
        ):
            send(parts, publisher, None, advance)

    def wait(self, timeout: float, advance: Callable[[int], None] = lambda loaded: None) -> None:
        """Return when all messages of the topic are loaded. Raises as `wait_until_loaded` does."""
        bootstrap, topic = self.settings.kafka_bootstrap, self.settings.topic
        wait_until_loaded(self.client, bootstrap, topic, timeout, advance)

    def figures(self, query: str, **parameters: Any) -> dict[str, Any]:
        """The row that the query returns."""
        result = self.client.query(query, parameters)
        return dict(zip(result.column_names, result.result_rows[0], strict=True))


@contextmanager
def _bench(stack: Settings, **changes: Any) -> Iterator[_Bench]:
    """A bench next to the stack's own topic and database, removed at the end. `changes`: settings
    that differ from the stack's.
    """
    unique = f"bench_{uuid.uuid4().hex[:8]}"
    passwords = {f"{user}_password": SecretStr(stack.clickhouse(user).password) for user in WRITERS}
    names = {
        "database": f"{stack.database}_{unique}",
        "topic": f"{stack.topic}.{unique}",
        "home": stack.home / "bench" / unique,
        "hash_key": SecretStr(stack.hash_key_bytes().hex()),
        "checkpoint": None,
    }
    config = stack.model_copy(update=names | passwords | changes)
    config.home.mkdir(parents=True)
    spec = kafka.TopicSpec(config.topic, config.partitions, 1, int(config.max_message_bytes))
    kafka.ensure_topic(config.kafka_bootstrap, spec)
    migrate.run(config.clickhouse("loader"))
    with config.client("loader") as client:
        try:
            yield _Bench(config, client)
        finally:
            drop = "DROP DATABASE IF EXISTS {name:Identifier} SYNC"
            client.command(drop, {"name": config.database})
            kafka.delete_topic(config.kafka_bootstrap, config.topic)


def throughput(
    messages: Annotated[int, typer.Option(min=1000, help="积压多少条 messages in the backlog")] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """积压的装载速度：先发满，再启动流作业，量到全部可查。

    How fast a backlog is loaded: fills a topic, starts the stream, and measures until all messages
    can be queried.
    """
    with _bench(settings(), max_batch_rows=max(1, messages // _BATCHES)) as bench:
        bench.send(blocks(islice(_backlog(messages).messages(), messages)), messages, as_json)
        begun = time.monotonic()
        with bench.stream(), progress("装载 loading", messages, as_json) as advance:
            bench.wait(_LONGEST, advance)
            total = time.monotonic() - begun
        figures = bench.figures(THROUGHPUT)
    warm = figures["warm_messages"] / figures["warm_seconds"] if figures["warm_seconds"] else 0
    figures |= {
        "start_to_loaded_seconds": round(total, 1),
        "messages_per_second": round(figures["messages"] / figures["seconds"]),
        "warm_messages_per_second": round(warm),
    }
    emit(figures, as_json, lambda: _render("积压装载 Backlog", figures))


def _backlog(messages: int) -> Backfill:
    """Thirty simulated days up to today that hold at least so many messages."""
    model = city_model(CITY, seed=1)
    today = datetime.now(UTC).date()
    load = max(1.0, messages / 1_000_000)
    return Backfill(model, today - timedelta(days=30), today, now_ms(), Disorder(), load=load)


def latency(
    rate: Annotated[float, typer.Option(min=1, max=10_000, help="每秒多少条 messages per second")] = 200.0,
    lasting: Annotated[float, typer.Option("--seconds", min=10, help="量多久 how long to measure")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """从发送到可查的时延（p50、p99）。

    Seconds from the send of a message until it can be queried, at a steady rate. The first 30
    seconds do not count.
    """
    with _bench(settings()) as bench, bench.stream():
        live = Live(city_model(CITY, seed=1), rate, lasting + _COLD, Event(), Disorder())
        bench.send(live.ticks(), int(rate * (lasting + _COLD)), as_json)
        bench.wait(120)
        figures = bench.figures(LATENCY, skip=_COLD)
    p50, p90, p99, slowest = figures.pop("quantiles")
    figures |= {
        "rate": rate,
        "p50_seconds": p50,
        "p90_seconds": p90,
        "p99_seconds": p99,
        "max_seconds": slowest,
    }
    emit(figures, as_json, lambda: _render("时延 Latency", figures))


def _render(title: str, figures: dict[str, Any]) -> RenderableType:
    return table(title, (Column("指标", "figure"), Column("值", "value", True)), figures.items())


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="测速 measure speed: throughput, latency, classify", no_args_is_help=True)
    group.command("throughput")(throughput)
    group.command("latency")(latency)
    group.command("classify")(classify)
    app.add_typer(group, name="bench")

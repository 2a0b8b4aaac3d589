"""`gridstream bench`: first figures of speed, on a topic and a database of their own."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from infra.cli.bench.classify import classify
from infra.cli.shared.output import AsJson, Column, emit, progress, table
from infra.local.fetch.java import find_java
from infra.local.services.simulator import gridstream
from infra.local.supervise.environment import environment
from infra.settings import Settings, User, settings
from pipelines.database import migrate
from pipelines.errors import TransientFault
from pipelines.services import kafka
from pipelines.services.clickhouse import connect
from pipelines.services.publish import Publisher
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.live import Live
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import city_model
from pipelines.sources.simulator.plan import Disorder, now_ms
from pipelines.sources.simulator.run import blocks, send
from pipelines.watch.lag import wait_until_loaded

CITY = "330200"
SQL = Path(__file__).parent
WRITERS: tuple[User, ...] = ("loader", "engineer")
_LONGEST = 3600.0  # seconds until a bench gives up
_COLD = 30  # seconds of a latency run that do not count
_BATCHES = 5  # micro-batches that a backlog is loaded in; the first one is cold


@dataclass(frozen=True)
class _Place:
    """A topic and a database that live as long as the measurement, and the stream that loads them."""

    settings: Settings
    client: Client

    @contextmanager
    def stream(self) -> Iterator[None]:
        """The stream as its own process, as the supervisor would start it."""
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

    def wait(self, timeout: float, progress: Callable[[int], None] = lambda loaded: None) -> None:
        now = self.settings
        wait_until_loaded(self.client, now.kafka_bootstrap, now.topic, timeout, progress)

    def figures(self, name: str, **parameters: Any) -> dict[str, Any]:
        result = self.client.query((SQL / f"{name}.sql").read_text("utf-8"), parameters)
        return dict(zip(result.column_names, result.result_rows[0], strict=True))


@contextmanager
def _place(now: Settings, **changes: Any) -> Iterator[_Place]:
    """`changes`: settings that the measurement sets in its own way."""
    unique = f"bench_{uuid.uuid4().hex[:8]}"
    passwords = {f"{user}_password": SecretStr(now.clickhouse(user).password) for user in WRITERS}
    own = {
        "database": f"{now.database}_{unique}",
        "topic": f"{now.topic}.{unique}",
        "home": now.home / "bench" / unique,
        "hash_key": SecretStr(now.hash_key_bytes().hex()),
        "checkpoint": None,
    }
    mine = now.model_copy(update=own | passwords | changes)
    mine.home.mkdir(parents=True)
    spec = kafka.TopicSpec(mine.topic, mine.partitions, 1, int(mine.max_message_bytes))
    kafka.ensure_topic(mine.kafka_bootstrap, spec)
    migrate.run(mine.clickhouse("loader"))
    with closing(connect(mine.clickhouse("loader"))) as client:
        try:
            yield _Place(mine, client)
        finally:
            client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", {"name": mine.database})
            kafka.delete_topic(mine.kafka_bootstrap, mine.topic)


def throughput(
    messages: Annotated[int, typer.Option(min=1000, help="积压多少条 messages in the backlog")] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """积压的装载速度：先发满，再启动流作业，量到全部可查。

    How fast a backlog is loaded: fills a topic, starts the stream, measures until all of it can be queried.
    """
    with _place(settings(), max_batch_rows=max(1, messages // _BATCHES)) as place:
        _fill(place, messages, as_json)
        begun = time.monotonic()
        with place.stream(), progress("装载 loading", messages, as_json) as advance:
            place.wait(_LONGEST, advance)
            total = time.monotonic() - begun
        found = place.figures("bench_throughput")
    found |= {
        "start_to_loaded_seconds": round(total, 1),
        "messages_per_second": round(found["messages"] / found["seconds"]),
        "warm_messages_per_second": round(found["warm_messages"] / found["warm_seconds"])
        if found["warm_seconds"]
        else 0,
    }
    emit(found, as_json, lambda: _figures("积压装载 Backlog", found))


def _fill(place: _Place, messages: int, quiet: bool) -> None:
    model = city_model(CITY, seed=1)
    today = datetime.now(UTC).date()
    past = Backfill(model, today - timedelta(days=30), today, now_ms(), Disorder(), load=max(1.0, messages / 1_000_000))
    with (
        Publisher(place.settings.kafka_bootstrap, place.settings.topic) as publisher,
        progress("发送 sending", messages, quiet) as advance,
    ):
        send(blocks(islice(past.messages(), messages)), publisher, None, advance)


def latency(
    rate: Annotated[float, typer.Option(min=1, max=10_000, help="每秒多少条 messages per second")] = 200.0,
    lasting: Annotated[float, typer.Option("--seconds", min=10, help="量多久 how long to measure")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """从发送到可查的时延（p50、p99）。

    Seconds from the send of a message until it can be queried, at a steady rate; the first 30 seconds do not count.
    """
    with _place(settings()) as place, place.stream():
        live = Live(city_model(CITY, seed=1), rate, lasting + _COLD, Event(), Disorder())
        _trickle(place, live.ticks(), int(rate * (lasting + _COLD)), as_json)
        place.wait(120)
        found = place.figures("bench_latency", skip=_COLD)
    p50, p90, p99, slowest = found.pop("quantiles")
    found |= {"rate": rate, "p50_seconds": p50, "p90_seconds": p90, "p99_seconds": p99, "max_seconds": slowest}
    emit(found, as_json, lambda: _figures("时延 Latency", found))


def _trickle(place: _Place, ticks: Iterator[list[Sent]], total: int, quiet: bool) -> None:
    with (
        Publisher(place.settings.kafka_bootstrap, place.settings.topic) as publisher,
        progress("发送 sending", total, quiet) as advance,
    ):
        send(ticks, publisher, None, advance)


def _figures(title: str, found: dict[str, Any]) -> Any:
    return table(title, (Column("指标", "figure"), Column("值", "value", True)), found.items())


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="测速 measure speed: throughput, latency, classify", no_args_is_help=True)
    group.command("throughput")(throughput)
    group.command("latency")(latency)
    group.command("classify")(classify)
    app.add_typer(group, name="bench")

"""`gridstream demo`: the whole of it, from nothing to a ranked city, on the real components."""

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import RenderableType

from infra.cli.data import verify as verify_command
from infra.cli.demo.findings import Findings, find, shown
from infra.cli.demo.live import watch
from infra.cli.shared.output import EXIT_FAILS, AsJson, console, emit, errors, progress, seconds
from infra.cli.shared.spinner import telling
from infra.cli.stack.stack import bring_up
from infra.local import stack
from infra.local.services.simulator import set_arguments
from infra.local.supervise.states import processes
from infra.settings import Settings, settings
from pipelines.marts.runner import execute, plan_stale
from pipelines.quality.summary import days_present
from pipelines.services.clickhouse import connect
from pipelines.services.publish import Publisher
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.model import city_model
from pipelines.sources.simulator.plan import Disorder, midnight_ms, now_ms
from pipelines.sources.simulator.run import blocks, send
from pipelines.verify import VerifyReport
from pipelines.watch.lag import current_lag, wait_until_loaded

CITY, SEED = "330200", 1
_DISORDER = Disorder()
_LONGEST_WAIT = 3600.0  # seconds for a backlog to be loaded


@dataclass
class _Steps:
    """Says on stderr which step begins and how long the last one took."""

    quiet: bool
    begun: float = field(default_factory=time.monotonic)
    number: int = 0

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        self.number += 1
        started = time.monotonic()
        if not self.quiet:
            errors.print(f"[bold cyan]{self.number}. {text}[/]")
        yield
        if not self.quiet:
            errors.print(f"   [dim]{seconds(time.monotonic() - started)}[/]")


def command(
    lasting: Annotated[
        float | None, typer.Option("--seconds", min=1, help="实时多久后自行结束 stop after N seconds live")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="实时速率 live messages per second")] = 50.0,
    days: Annotated[int, typer.Option(min=1, max=365, help="先回填几天 days of the city to backfill first")] = 7,
    as_json: AsJson = False,
) -> None:
    """一条命令看全貌：起真实的 Kafka、Spark、ClickHouse、Dagster，回填、实时、排名、核对。

    The whole of it in one command: brings up the real Kafka, Spark, ClickHouse and Dagster, backfills a simulated
    city, streams live, ranks, proves that nothing was lost, and shows it live until Ctrl-C. With --seconds it stops by
    itself; exit code 0 only if the proof holds. What ran before goes on running; what it started it stops, and the
    data stays.
    """
    now = settings()
    was_up = any(part.state == "running" for part in processes(now))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    steps = _Steps(quiet=as_json)
    try:
        first = _ready(now, steps, rate, days)
        took = time.monotonic() - steps.begun
        if not as_json:
            console.print(_introduction(now, first, took))
        _live(now, lasting, as_json)
        last = _settle(now, steps)
    finally:
        _leave(now, was_up, as_json)
    document = {"ready_seconds": round(took, 1), **last.document()}
    emit(document, as_json, lambda: verify_command.conclusion(last.proof))
    raise typer.Exit(0 if last.proof.holds else EXIT_FAILS)


def _introduction(now: Settings, first: Findings, took: float) -> RenderableType:
    return shown(now, first, f"就绪 ready in {seconds(took)}")


def _ready(now: Settings, steps: _Steps, rate: float, days: int) -> Findings:
    """Everything up to the live view; a second run finds most of it done."""
    with steps.step("起动 Kafka、ClickHouse、流作业、Dagster  starting the stack"), telling("…", steps.quiet) as say:
        bring_up(now, (), say)
    with steps.step(f"回填 {days} 天的模拟城市  backfilling {days} days of a simulated city"):
        _backfill(now, days, steps.quiet)
    with steps.step("流作业装载积压  the stream loads what waits"):
        _drain(now, steps.quiet)
    found = _settled(now, steps)  # before the live feed: it touches a month of days within seconds
    with steps.step(f"开始实时上报，每秒 {rate:g} 条  live reports begin, {rate:g} a second"):
        _start_simulator(now, rate)
    return found


def _settled(now: Settings, steps: _Steps) -> Findings:
    with steps.step("重建日汇总与排名  rebuilding rollup and marts"):
        _rebuild(now, steps.quiet)
    with steps.step("核对：不丢、不重  proving that nothing is lost or doubled"):
        return find(now, CITY, _prove(now, steps.quiet))


def _backfill(now: Settings, days: int, quiet: bool) -> None:
    model = city_model(CITY, SEED)
    today = datetime.now(ZoneInfo(model.timezone)).date()
    wanted = [today - timedelta(days=ago) for ago in reversed(range(days))]
    with closing(connect(now.clickhouse("engineer"))) as client:
        present = days_present(client, CITY, wanted[0], today)
    missing = [day for day in wanted if day not in present]
    if not missing:
        return
    past = Backfill(model, missing[0], missing[-1], _until(missing[-1], model.timezone), _DISORDER)
    with Publisher(now.kafka_bootstrap, now.topic) as publisher, progress("回填 backfill", None, quiet) as advance:
        send(blocks(past.messages()), publisher, None, advance)


def _until(last: date, timezone: str) -> int:
    """Nothing has happened after this moment (ms)."""
    return min(midnight_ms(last + timedelta(1), timezone), now_ms() // 1000 * 1000)


def _drain(now: Settings, quiet: bool) -> None:
    with closing(connect(now.clickhouse("engineer"))) as client:
        waiting = current_lag(client, now.kafka_bootstrap, now.topic).messages
        with progress("装载 loading", waiting, quiet) as advance:
            wait_until_loaded(client, now.kafka_bootstrap, now.topic, _LONGEST_WAIT, advance)


def _start_simulator(now: Settings, rate: float) -> None:
    stack.stop(now, ("simulator",))
    set_arguments(now, ["--city", CITY, "--rate", str(rate), "--no-manifest"])
    stack.up(now, ("simulator",))


def _rebuild(now: Settings, quiet: bool) -> None:
    with closing(connect(now.clickhouse("loader"))) as client:
        plan = plan_stale(client, settle=0)
        with progress("重建 rebuilding", plan.steps, quiet) as advance:
            execute(client, plan, advance)


def _prove(now: Settings, quiet: bool) -> VerifyReport:
    return verify_command.prove(now, quiet=quiet)


def _live(now: Settings, lasting: float | None, quiet: bool) -> None:
    """Watch until the time is over or Ctrl-C."""
    try:
        watch(now, CITY, lasting, quiet)
    except KeyboardInterrupt:
        errors.print("结束中 ending …")


def _settle(now: Settings, steps: _Steps) -> Findings:
    """No more messages; all that were sent are loaded, ranked and proven."""
    stack.stop(now, ("simulator",))
    with steps.step("装载余下的消息  loading what was still under way"):
        _drain(now, steps.quiet)
    return _settled(now, steps)


def _leave(now: Settings, was_up: bool, quiet: bool) -> None:
    """What ran before goes on; what the demo started ends."""
    if was_up:
        stack.stop(now, ("simulator",))
        return
    with telling("停止中 stopping …", quiet) as say:
        stack.down(now, say)
    if not quiet:
        errors.print("[dim]已停止，数据保留 stopped, the data stays: gridstream up[/]")


def register(app: typer.Typer) -> None:
    app.command("demo")(command)

"""`gridstream demo`: the whole pipeline on its real components, from an empty home to a ranked city."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from infra.cli.data import verify as verify_command
from infra.cli.demo.findings import Findings, find, render_findings
from infra.cli.demo.live import watch
from infra.cli.shared.output import EXIT_FAILS, AsJson, console, emit, errors, progress, seconds
from infra.cli.shared.spinner import spinner
from infra.cli.stack.stack import bring_up
from infra.local import stack
from infra.local.services.simulator import set_arguments
from infra.local.supervise.states import processes
from infra.settings import Settings, settings
from pipelines.marts.runner import execute, plan_stale
from pipelines.quality.summary import days_present
from pipelines.services.publish import Publisher
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.model import city_model
from pipelines.sources.simulator.plan import Disorder, midnight_ms, now_ms
from pipelines.sources.simulator.run import blocks, send
from pipelines.watch.lag import current_lag, wait_until_loaded

CITY, SEED = "330200", 1
_DISORDER = Disorder()
_LONGEST_WAIT = 3600.0  # seconds for a backlog to be loaded


@dataclass
class _Steps:
    """Prints on stderr which step begins and how long it took."""

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

    The whole pipeline in one command: starts the real Kafka, Spark, ClickHouse and Dagster, backfills a simulated
    city, streams live, ranks, proves that nothing was lost, and shows it live until Ctrl-C. With --seconds it stops by
    itself. The exit code is 0 only if the proof holds. A stack that ran before goes on running; one that the demo
    started is stopped, and its data stays.
    """
    config = settings()
    was_up = any(part.state == "running" for part in processes(config))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    steps = _Steps(quiet=as_json)
    try:
        first = _ready(config, steps, rate, days)
        took = time.monotonic() - steps.begun
        if not as_json:
            console.print(render_findings(config, first, f"就绪 ready in {seconds(took)}"))
        _live(config, lasting, as_json)
        last = _end_feed(config, steps)
    finally:
        _leave(config, was_up, as_json)
    document = {"ready_seconds": round(took, 1), **last.document()}
    emit(document, as_json, lambda: verify_command.conclusion(last.proof))
    raise typer.Exit(0 if last.proof.holds else EXIT_FAILS)


def _ready(config: Settings, steps: _Steps, rate: float, days: int) -> Findings:
    """Every step up to the live view; of a second run most is already done."""
    with steps.step("起动 Kafka、ClickHouse、流作业、Dagster  starting the stack"), spinner("…", steps.quiet) as show:
        bring_up(config, (), show)
    with steps.step(f"回填 {days} 天的模拟城市  backfilling {days} days of a simulated city"):
        _backfill(config, days, steps.quiet)
    with steps.step("流作业装载积压  the stream loads the backlog"):
        _drain(config, steps.quiet)
    findings = _rebuild_and_prove(config, steps)  # before the live feed: it touches a month of days within seconds
    with steps.step(f"开始实时上报，每秒 {rate:g} 条  live reports begin, {rate:g} a second"):
        _start_simulator(config, rate)
    return findings


def _rebuild_and_prove(config: Settings, steps: _Steps) -> Findings:
    with steps.step("重建日汇总与排名  rebuilding rollup and marts"):
        _rebuild(config, steps.quiet)
    with steps.step("核对：不丢、不重  proving that nothing is lost or doubled"):
        return find(config, CITY, verify_command.prove(config, quiet=steps.quiet))


def _backfill(config: Settings, days: int, quiet: bool) -> None:
    model = city_model(CITY, SEED)
    today = datetime.now(ZoneInfo(model.timezone)).date()
    wanted = [today - timedelta(days=ago) for ago in reversed(range(days))]
    with config.client("engineer") as client:
        present = days_present(client, CITY, wanted[0], today)
    missing = [day for day in wanted if day not in present]
    if not missing:
        return
    past = Backfill(model, missing[0], missing[-1], _until(missing[-1], model.timezone), _DISORDER)
    with (
        Publisher(config.kafka_bootstrap, config.topic) as publisher,
        progress("回填 backfill", None, quiet) as advance,
    ):
        send(blocks(past.messages()), publisher, None, advance)


def _until(last: date, timezone: str) -> int:
    """The end of the backfill in Unix milliseconds: midnight after `last`, or the current second."""
    return min(midnight_ms(last + timedelta(1), timezone), now_ms() // 1000 * 1000)


def _drain(config: Settings, quiet: bool) -> None:
    """Wait until everything in the topic is loaded."""
    with config.client("engineer") as client:
        waiting = current_lag(client, config.kafka_bootstrap, config.topic).messages
        with progress("装载 loading", waiting, quiet) as advance:
            wait_until_loaded(client, config.kafka_bootstrap, config.topic, _LONGEST_WAIT, advance)


def _start_simulator(config: Settings, rate: float) -> None:
    stack.stop(config, ("simulator",))
    set_arguments(config, ["--city", CITY, "--rate", str(rate), "--no-manifest"])
    stack.up(config, ("simulator",))


def _rebuild(config: Settings, quiet: bool) -> None:
    with config.client("loader") as client:
        plan = plan_stale(client, settle=0)
        with progress("重建 rebuilding", plan.steps, quiet) as advance:
            execute(client, plan, advance)


def _live(config: Settings, lasting: float | None, quiet: bool) -> None:
    """Watch until the time is over or Ctrl-C."""
    try:
        watch(config, CITY, lasting, quiet)
    except KeyboardInterrupt:
        errors.print("结束中 ending …")


def _end_feed(config: Settings, steps: _Steps) -> Findings:
    """Stop the simulator; load, rank and prove all that it sent."""
    stack.stop(config, ("simulator",))
    with steps.step("装载余下的消息  loading the remaining messages"):
        _drain(config, steps.quiet)
    return _rebuild_and_prove(config, steps)


def _leave(config: Settings, was_up: bool, quiet: bool) -> None:
    """Stop what the demo started: the whole stack, or the simulator only when the stack ran before."""
    if was_up:
        stack.stop(config, ("simulator",))
        return
    with spinner("停止中 stopping …", quiet) as show:
        stack.down(config, show)
    if not quiet:
        errors.print("[dim]已停止，数据保留 stopped, the data stays: gridstream up[/]")


def register(app: typer.Typer) -> None:
    app.command("demo")(command)

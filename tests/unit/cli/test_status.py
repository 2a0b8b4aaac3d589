"""What `gridstream status` says is wrong, in which order, and that it fits a terminal."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from infra.cli.stack.status import Status, problems, render_status
from infra.local.supervise.states import ProcessCondition, ProcessState
from pipelines.errors import TransientFault
from pipelines.stream.hold import Held
from pipelines.stream.state import Condition, StreamState
from pipelines.watch.figures import Lag, LedgerFigures
from pipelines.watch.health import Observation, judge

AT = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
NAMES = ("kafka", "clickhouse", "stream", "dagster-code", "dagster-webserver", "dagster-daemon")


def parts(condition: ProcessCondition = "running", **others: ProcessCondition) -> list[ProcessState]:
    return [
        ProcessState(
            name, "Dagster 网页 web UI", others.get(name, condition), pid=1234567, port=9092, uptime_seconds=7200.0,
            memory_bytes=4_000_000_000, version="Spark 4.2.0", restarts=12,
        )
        for name in NAMES
    ]  # fmt: skip


def stream(condition: Condition | None, alive: bool = True) -> Observation:
    state = StreamState(condition, AT, 4711, reason="partition 0: 50 messages") if condition else None
    return Observation(AT, state, alive)


def named(processes: list[ProcessState], seen: Observation) -> list[str]:
    return [problem.id for problem in problems(processes, judge(seen).problems)]


def test_all_is_well() -> None:
    assert named(parts(), stream("running")) == []


@pytest.mark.parametrize("condition", [None, "stopped", "running"])
def test_an_idle_machine_is_one_problem(condition: Condition | None) -> None:
    assert named(parts("stopped"), stream(condition, alive=False)) == ["nothing_runs"]


def test_a_stream_that_failed_is_named_even_when_nothing_runs() -> None:
    assert named(parts("stopped"), stream("failed", alive=False)) == ["failed", "nothing_runs"]


def test_the_streams_own_reason_replaces_the_state_of_its_process() -> None:
    assert named(parts(stream="stopped"), stream("failed", alive=False)) == ["failed"]
    assert named(parts(stream="failed"), stream("running", alive=False)) == ["dead"]
    assert named(parts(stream="orphaned"), stream("running")) == ["part_orphaned"]


def test_a_part_that_is_down_comes_before_the_stream_that_waits_for_it() -> None:
    seen = replace(stream("waiting"), fault=TransientFault("ClickHouse does not answer"))
    down = problems(parts(clickhouse="stopped"), judge(seen).problems)
    assert [problem.id for problem in down] == ["part_stopped", "unreachable", "waiting"]
    assert down[0].do == "gridstream up --only clickhouse"


@pytest.mark.parametrize("width", [100, 110])
def test_it_fits_the_terminal(width: int) -> None:
    figures = LedgerFigures(
        batch_id=1234567, batch_rows=1_000_000, batch_age_seconds=7300.0, rows_per_second=48_400.0, good=123_456_789,
        quarantined=1_234_567, duplicates=2_345_678, hour_quarantined=123_456, hour_rows=1_234_567,
    )  # fmt: skip
    held = StreamState("held", AT, 4711, held=(Held(2, 1000, 1499, 500, 250, {"not_json": 240, "unknown_grid": 9}),))
    seen = Observation(AT, held, True, Lag({0: 12_345_678}, 86_400.0), figures)
    processes = parts("orphaned")
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(render_status(Status(processes, seen, problems(processes, judge(seen).problems)), width))
    lines = capture.get().splitlines()
    tables = [line for line in lines if line.startswith("│")]
    assert len(tables) == len(NAMES) + 7  # no cell is wrapped
    assert all(line.endswith("│") for line in tables)

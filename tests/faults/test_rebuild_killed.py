"""Dagster dies in the middle of a rebuild, a day is rebuilt twice at once, or while its messages come in: the figures
are old or new, never halves, and the next run heals."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.marts import rollup_daily
from dagster_project.rebuild import UNFINISHED, add_days, rebuild_stale
from infra.local import stack as embedded
from infra.local.services import dagster as local
from infra.local.supervise.states import processes
from pipelines.clock import now
from pipelines.marts import runner
from pipelines.marts.build import mart_differences
from pipelines.marts.catalog import MARTS
from pipelines.marts.rollup import recompute_differences
from pipelines.services.clickhouse import connect
from pipelines.verify.rollup import check_rollup
from tests.support.proof import require_proof, simulate
from tests.support.rollup import DAY, insert, private_tables
from tests.support.stack import Stack, Streaming
from tests.support.wait import until

PARTS = ("dagster-code", "dagster-daemon")
Figures = dict[tuple[str, str], tuple[int, int]]

_FIGURES = """
SELECT toString(_partition_value), count(), groupBitXor(cityHash64(toString(tuple(*)))) FROM {table:Identifier}
GROUP BY ALL"""


@pytest.fixture
def dagster(stack: Stack) -> Iterator[dg.DagsterInstance]:
    """The embedded Dagster of the test's stack under its supervisor: the process that holds our code, and the daemon.
    Streams must have ended by the time a test asks for it.
    """
    local.prepare(stack.settings)
    with dg.DagsterInstance.from_config(str(stack.settings.dagster_dir)) as instance:
        try:
            yield instance
        finally:
            embedded.down(stack.settings)


def rebuild(stack: Stack) -> str:
    """Launch the job as the web UI would: through the queue, in a process of its own; the run's id."""
    run = str(uuid.uuid4())
    at = ["-w", str(local.workspace(stack.settings)), "--location", local.LOCATION]
    command = [sys.executable, "-m", "dagster", "job", "launch", *at, "--job", rebuild_stale.name, "--run-id", run]
    subprocess.run(command, env=stack.environment(), capture_output=True, check=True)
    return run


def pid_of(instance: dg.DagsterInstance, run: str) -> int:
    """The process that does a run, from the run's own log."""
    matches = (re.search(r"Started process for run \(pid: (\d+)\)", event.message) for event in instance.all_logs(run))
    return next(int(match[1]) for match in matches if match)


def at_work(instance: dg.DagsterInstance) -> str:
    """The one run that may rebuild now: ours, or one that the schedule started in between."""
    [run] = instance.get_run_ids(dg.RunsFilter(job_name=rebuild_stale.name, statuses=[dg.DagsterRunStatus.STARTED]))
    return run


def building(stack: Stack, table: str) -> list[str]:
    """The private tables of builds of `table`."""
    query = "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String})"
    return [name for (name,) in stack.loader.query(query, {"prefix": f"building_{table}_"}).result_rows]


def await_build(stack: Stack, table: str) -> None:
    """Returns in the middle of a build, which may take no longer than a tenth of a second."""
    deadline = time.monotonic() + 90
    while not building(stack, table):
        assert time.monotonic() < deadline, f"waited in vain for a build of {table}"
        time.sleep(0.002)


def figures(stack: Stack) -> Figures:
    """Rows and a checksum of every partition that readers see."""
    tables = ("rollup_daily", *(mart.table for mart in MARTS))
    return {
        (table, partition): (int(rows), int(checksum))
        for table in tables
        for partition, rows, checksum in stack.loader.query(_FIGURES, {"table": table}).result_rows
    }


def stale(stack: Stack) -> set[str]:
    """What is marked stale, as the private tables of its builds begin."""
    plan = runner.plan_stale(stack.loader, settle=0)
    days = {f"building_rollup_daily_{day:%Y%m%d}_" for day in plan.days}
    return days | {f"building_{mart.table}_{period.kind}_{period.first:%Y%m%d}_" for mart, period in plan.marts}


def holds(stack: Stack, table: str, partition: str) -> bool:
    """Whether a partition equals its recomputation."""
    *kind, first = re.findall(r"'([^']+)'", partition)
    day = date.fromisoformat(first)
    if table == "rollup_daily":
        return recompute_differences(stack.engineer, day) == []
    [mart] = [mart for mart in MARTS if mart.table == table]
    [period] = [period for period in mart.touched(day, day) if [period.kind] == (kind or ["day"])]
    return mart_differences(stack.engineer, mart, period) == 0


def require_figures(stack: Stack) -> None:
    """Nothing private is left, and every day equals its recomputation, asked by the product and by `verify`."""
    assert private_tables(stack.loader) == 0
    days = [day for (day,) in stack.loader.query("SELECT DISTINCT day FROM rollup_daily").result_rows]
    assert {day: recompute_differences(stack.engineer, day) for day in days} == {day: [] for day in days}
    assert check_rollup(stack.engineer).state == "holds"


def load_twice(stack: Stack, streaming: Streaming, folder: Path) -> Figures:
    """Messages of three days, the figures of which are built; then more messages of the same days. The figures."""
    with streaming():
        simulate(stack, folder / "one.jsonl", "--days", "3", "--messages", "15000")
        stack.wait_until_loaded()
        runner.execute(stack.loader, runner.plan_stale(stack.loader))
        simulate(stack, folder / "two.jsonl", "--days", "3", "--messages", "15000", "--seed", "2")
        stack.wait_until_loaded()
    return figures(stack)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("table", "with_server"), [("rollup_daily", False), ("mart_area_ranking", True)])
def test_a_killed_run_leaves_no_half_and_the_next_one_heals(
    stack: Stack, streaming: Streaming, dagster: dg.DagsterInstance, tmp_path: Path, table: str, with_server: bool
) -> None:
    """`with_server`: the process that holds our code, whose child the run is, dies too and cannot tell of it."""
    before = load_twice(stack, streaming, tmp_path)
    embedded.up(stack.settings, PARTS)
    rebuild(stack)
    await_build(stack, table)
    killed = at_work(dagster)
    server = next(part.pid for part in processes(stack.settings) if part.name == PARTS[0]) if with_server else None
    for pid in (pid_of(dagster, killed), server):
        if pid:
            os.kill(pid, signal.SIGKILL)
    [left] = building(stack, table)
    changed = {key for key, value in figures(stack).items() if value != before.get(key)}
    print("killed while it built", left, "and after", sorted(changed))
    assert {key for key in changed if not holds(stack, *key)} == set()
    assert any(left.startswith(prefix) for prefix in stale(stack))
    until(lambda: dagster.get_run_by_id(killed).status == dg.DagsterRunStatus.FAILURE, "the word of the run's end", 120)
    healing = rebuild(stack)
    until(lambda: dagster.get_run_by_id(healing).is_finished, "the next run", 120)
    until(lambda: not dagster.get_run_ids(dg.RunsFilter(statuses=UNFINISHED)), "what follows it", 60)
    assert dagster.get_run_by_id(healing).status == dg.DagsterRunStatus.SUCCESS
    assert figures(stack) != before
    assert left not in building(stack, table)
    require_figures(stack)
    require_proof(stack)


def materialize(stack: Stack) -> "subprocess.Popen[bytes]":
    """A process that materializes the rollup of `DAY`, past the queue that would keep a second one waiting."""
    what = ["--select", rollup_daily.key.to_user_string(), "--partition", DAY.isoformat()]
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", local.MODULE, *what]
    log = (stack.settings.home / "materialize.log").open("ab")
    return subprocess.Popen(command, env=stack.environment(), stdout=log, stderr=log)


def test_two_processes_build_the_same_day(stack: Stack, dagster: dg.DagsterInstance) -> None:
    insert(stack.loader, 60_000)  # so many that a build takes its time
    add_days(dagster, [DAY])
    first = materialize(stack)
    await_build(stack, "rollup_daily")
    first.send_signal(signal.SIGSTOP)
    insert(stack.loader, 2_000, hours=1, status="closed")
    insert(stack.loader, 70_000)
    assert materialize(stack).wait(60) == 0
    newest = figures(stack)
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 0
    assert figures(stack) == newest
    assert stack.scalar("SELECT sum(reported) FROM rollup_daily") == 70_000
    require_figures(stack)
    insert(stack.loader, 80_000)
    both = [materialize(stack), materialize(stack)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert stack.scalar("SELECT sum(reported) FROM rollup_daily") == 80_000
    require_figures(stack)


def test_a_day_is_rebuilt_while_its_messages_come_in(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    loaded = threading.Event()
    seen: list[int] = []
    stack.settings = stack.settings.model_copy(update={"max_batch_rows": 2_000})  # they come in many steps

    def keep_building() -> None:
        with closing(connect(stack.settings.clickhouse("loader"))) as client:
            days = [now().date() - timedelta(days=n) for n in (1, 0)]
            while not loaded.is_set():
                seen.append(sum(day.reports for day in runner.execute(client, runner.plan_days(days)).days))

    builder = threading.Thread(target=keep_building)
    with streaming():
        until(lambda: stack.state is not None and stack.state.condition == "running", "the stream")
        builder.start()
        try:
            simulate(stack, tmp_path / "m.jsonl", "--days", "2", "--messages", "30000", "--late-share", "0.1")
            stack.wait_until_loaded()
        finally:
            loaded.set()
            builder.join()
    print("builds", len(seen), "reports", sorted(set(seen)))
    assert len(set(seen)) > 3  # they saw the days grow
    runner.execute(stack.loader, runner.plan_stale(stack.loader))
    require_figures(stack)
    require_proof(stack)

"""The one verdict on the stream: is it well, and if not, why and what to do. Pure.

`gridstream status`, Dagster (the sensor `stream_watch` and the check `stream_keeps_up`) and the embedded stack all ask
here, so that they agree. `pipelines.watch.observe` collects the observation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipelines.errors import GridstreamError, TransientFault
from pipelines.stream.hold import HOW_TO_RESUME
from pipelines.stream.state import Condition, StreamState
from pipelines.watch.figures import Lag, LedgerFigures

# How long a message may wait, a start may take, or nothing may be loaded while messages wait.
# From send to queryable takes 3.5 s at p99, the first 100,000 messages after a start 9 s, a backlog of 1,000,000
# messages 21 s (docs/measured.md). Two minutes leave room for a slower machine and for a restart in between.
LATE_SECONDS = 120.0

# The share of the last hour's messages that was rejected, and their number, from which a person should look.
# The circuit breaker acts at 30 % of at least 500 messages of one partition; a source that sends less, or fails less
# often, never opens it. Of a healthy source (the simulator) 0.5 % is rejected.
REFUSED_SHARE = 0.2
REFUSED_MESSAGES = 10

Severity = Literal["error", "warning"]
ProblemId = Literal[
    "unreachable",  # Kafka or ClickHouse does not answer
    "misconfigured",  # Kafka or ClickHouse answers, and refuses: topic, database, password, rights
    "never_started",
    "stopped",
    "dead",  # the process is gone and has not said why
    "failed",  # the stream stopped by itself and must not be restarted before a person looked
    "held",  # by its circuit breaker
    "defect",
    "waiting",  # for a service
    "slow_start",
    "stalled",  # messages wait, and nothing is loaded
    "behind",  # messages are loaded, too slowly
    "refused",  # many of the last hour's messages were rejected
    "isolated",  # the program could not process some of the last hour's messages
]

_LIVE: tuple[Condition, ...] = ("running", "waiting", "defect", "held")
_LOG = "看日志 see the log: gridstream logs stream"


@dataclass(frozen=True)
class Problem:
    """What is wrong, and what a person should do, each in Chinese and English.

    severity: `error`: messages are not loaded and a person may have to act. `warning`: they are, but have a look.
    """

    id: str  # of the stream: a `ProblemId`
    severity: Severity
    what: str
    do: str


@dataclass(frozen=True)
class Observation:
    """What is known of the stream at the time `at`.

    state: what the stream wrote last, None when it never ran here. alive: whether that process exists.
    lag, ledger: None when the services were not asked or did not answer; the ledger's also when nothing was loaded yet.
    fault: why a service gave no figures.
    """

    at: datetime
    state: StreamState | None = None
    alive: bool = False
    lag: Lag | None = None
    ledger: LedgerFigures | None = None
    fault: GridstreamError | None = None


@dataclass(frozen=True)
class Health:
    """The verdict. problems: causes before consequences, errors before warnings.

    up: whether a stream process has completed its start; it may also wait for a service or be held.
    """

    up: bool
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing needs a person."""
        return not self.problems

    @property
    def severity(self) -> Severity | None:
        """The worst of the problems; None when there are none."""
        return worst(self.problems)


def worst(problems: Sequence[Problem]) -> Severity | None:
    """The most severe of `problems`; None when there are none."""
    if not problems:
        return None
    return "error" if any(problem.severity == "error" for problem in problems) else "warning"


def judge(seen: Observation) -> Health:
    """The verdict on an observation."""
    causes = [*_services(seen), *_process(seen)]
    # Lag is a consequence of a cause that is already named; a stream that waits may at the same time be late.
    late = [] if worst(causes) == "error" else _lateness(seen)
    problems = [*causes, *late, *_isolated(seen), *_refused(seen)]
    errors_first = sorted(problems, key=lambda problem: problem.severity != "error")
    up = seen.state is not None and seen.alive and seen.state.condition in _LIVE
    return Health(up, tuple(errors_first))


def _error(name: ProblemId, what: str, do: str) -> Problem:
    return Problem(name, "error", what, do)


def _warning(name: ProblemId, what: str, do: str) -> Problem:
    return Problem(name, "warning", what, do)


def _services(seen: Observation) -> Iterator[Problem]:
    if isinstance(seen.fault, TransientFault):
        do = "稍候；若不恢复，看日志 wait a moment; if it stays: gridstream logs kafka, gridstream logs clickhouse"
        yield _error("unreachable", f"服务没有应答 a service does not answer: {seen.fault}", do)
    elif seen.fault is not None:
        do = "改正后再看 correct it, then look again; 现用的设置 the settings in use: gridstream settings"
        yield _error("misconfigured", f"服务拒绝了请求 a service refuses: {seen.fault}", do)


def _process(seen: Observation) -> Iterator[Problem]:
    """What the stream itself says, or what its silence means."""
    state = seen.state
    if state is None:
        # With rows in the ledger the stream runs on another machine, and lag decides.
        if seen.ledger is None and seen.fault is None:
            yield _error("never_started", "流作业从未在此运行 the stream has never run here", "gridstream up")
    elif state.condition == "failed":
        do = "排除原因后 fix the cause, then: gridstream up"
        yield _error("failed", f"流作业已停 the stream stopped: {state.reason}", do)
    elif state.condition == "stopped":
        what = "流作业被停止，消息留在 Kafka the stream was stopped, messages stay in Kafka"
        yield _error("stopped", what, "gridstream up")
    elif not seen.alive:
        what = f"流作业进程已不在 the stream's process {state.pid} is gone; 此前状态 it was: {state.condition}"
        do = f"{_LOG}; 若没有自动重启 if it is not restarted by itself: gridstream up"
        yield _error("dead", what, do)
    else:
        yield from _live(seen, state)


def _live(seen: Observation, state: StreamState) -> Iterator[Problem]:
    """What a stream that runs says of itself."""
    if state.condition == "held":
        where = "; ".join(map(str, state.held)) or state.reason
        yield _error("held", f"流作业熔断 the circuit breaker holds the stream: {where}", HOW_TO_RESUME)
    elif state.condition == "defect":
        what = f"程序缺陷，消息在 Kafka 中等待 a defect of the program, messages wait in Kafka: {state.reason}"
        yield _error("defect", what, f"{_LOG}; 修复程序后 once it is fixed: gridstream restart --only stream")
    elif state.condition == "waiting":
        brief = seen.lag is not None and seen.lag.seconds <= LATE_SECONDS
        what = f"流作业在等待，会自行继续 the stream waits, and goes on by itself: {state.reason}"
        yield Problem("waiting", "warning" if brief else "error", what, f"排除原因 fix the cause; {_LOG}")
    elif state.condition == "starting" and _age(seen, state) > LATE_SECONDS:
        minutes = f"{_age(seen, state) / 60:,.0f}"
        what = f"流作业启动 {minutes} 分钟仍未就绪 the stream has been starting for {minutes} min"
        yield _error("slow_start", what, f"{_LOG}; 再试 try again: gridstream restart --only stream")


def _age(seen: Observation, state: StreamState) -> float:
    return (seen.at - state.at).total_seconds()


def _lateness(seen: Observation) -> Iterator[Problem]:
    """Messages that wait too long, although nothing says why."""
    lag, ledger = seen.lag, seen.ledger
    if lag is None or not lag.messages or lag.seconds <= LATE_SECONDS:
        return
    idle = ledger.batch_age_seconds if ledger else float("inf")
    if seen.state is not None:  # a start or the end of a micro-batch is a sign of life, too
        idle = min(idle, _age(seen, seen.state))
    waits = f"{lag.messages:,} 条消息在等 messages wait, 最久 the oldest for {lag.seconds / 60:,.0f} min"
    if idle > LATE_SECONDS:
        do = f"{_LOG}; 再试 try again: gridstream restart --only stream"
        yield _error("stalled", f"流作业没有进展 the stream does not move: {waits}", do)
    elif ledger and ledger.rows_per_second and lag.messages > LATE_SECONDS * ledger.rows_per_second:
        # A message that arrives now will be late as well; a shorter backlog needs no person.
        minutes = lag.messages / ledger.rows_per_second / 60
        what = f"流作业跟不上 the stream is behind: {waits}, 每秒装载 loaded per second: {ledger.rows_per_second:,.0f}"
        do = (
            f"正在追赶，约 {minutes:,.0f} 分钟 it catches up in about {minutes:,.0f} min when no more arrives; "
            "若一直如此 if it stays so, give Spark more cores"
        )
        yield _warning("behind", what, do)


def _isolated(seen: Observation) -> Iterator[Problem]:
    """A bug that one message shows costs that message only; it must be found all the same."""
    if seen.ledger and seen.ledger.hour_isolated:
        count = f"{seen.ledger.hour_isolated:,}"
        what = f"近一小时 {count} 条消息程序无法处理 the program could not process {count} of the last hour's messages"
        do = "看代码位置 see the place in the code: gridstream quarantine list --reason unforeseen; 修复后 once fixed: "
        yield _warning("isolated", what, do + "gridstream quarantine replay --reason unforeseen")


def _refused(seen: Observation) -> Iterator[Problem]:
    figures = seen.ledger
    share = figures.quarantine_rate if figures else None
    if figures and share is not None and share >= REFUSED_SHARE and figures.hour_quarantined >= REFUSED_MESSAGES:
        rejected, total = f"{figures.hour_quarantined:,}", f"{figures.hour_rows:,}"
        what = (
            f"近一小时 {total} 条消息中 {rejected} 条被拒 "
            f"{rejected} of the last hour's {total} messages were rejected ({share:.0%})"
        )
        do = "看理由 see why: gridstream quarantine stats; 修正后 once fixed: gridstream quarantine replay"
        yield _warning("refused", what, do)

"""The stream as people see it: `status` and the live view of the demo show the same figures."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from infra.settings import Settings
from pipelines.errors import GridstreamError
from pipelines.services import kafka
from pipelines.services.clickhouse import connect
from pipelines.stream.hold import HOW_TO_RESUME
from pipelines.stream.state import StreamState, read_state
from pipelines.watch.lag import Lag, LedgerFigures, current_lag, ledger_figures

# With messages waiting, a stream that has loaded none for this long is stuck, in seconds.
STALLED = 60.0
_WAIT = "稍候；若不恢复，看日志 wait a moment; if it stays: gridstream logs kafka, gridstream logs clickhouse"


@dataclass(frozen=True)
class Problem:
    """Something wrong, and what a person should do about it."""

    what: str
    do: str


@dataclass(frozen=True)
class StreamView:
    """What is known of the stream; figures are None where a service did not answer."""

    state: StreamState | None
    ledger: LedgerFigures | None = None
    lag: Lag | None = None
    problems: tuple[Problem, ...] = field(default=())

    @property
    def condition(self) -> str:
        return self.state.condition if self.state else "never started"


def stream_view(now: Settings, ask: bool = True) -> StreamView:
    """The stream's state file, and with `ask` the figures of Kafka and ClickHouse; no answer is a problem."""
    state = read_state(now.run / "stream.json")
    if not ask:
        return StreamView(state, problems=_troubles(state))
    try:
        client = connect(now.clickhouse("engineer"))
        figures = ledger_figures(client, kafka.topic_id(now.kafka_bootstrap, now.topic))
        lag = current_lag(client, now.kafka_bootstrap, now.topic)
    except GridstreamError as error:
        return StreamView(state, problems=(Problem(str(error), _WAIT), *_troubles(state)))
    return StreamView(state, figures, lag, (*_troubles(state), *_stalled(state, figures, lag)))


def _troubles(state: StreamState | None) -> tuple[Problem, ...]:
    if state is None:
        return ()
    if state.condition == "failed":
        return (
            Problem(f"流作业已停 the stream stopped: {state.reason}", "排除原因后 mend the cause, then: gridstream up"),
        )
    if state.condition == "held":
        told = "; ".join(map(str, state.held))
        return (Problem(f"流作业熔断 the circuit breaker holds the stream: {told}", HOW_TO_RESUME),)
    if state.condition == "defect":
        told = f"程序缺陷，消息在 Kafka 中等待 a defect of the program, messages wait in Kafka: {state.reason}"
        return (Problem(told, "看 see: gridstream logs stream; 修好后 once mended: gridstream restart stream"),)
    if state.condition == "waiting":
        return (Problem(f"流作业在等待 the stream waits: {state.reason}", "看 see: gridstream logs stream"),)
    return ()


def _stalled(state: StreamState | None, figures: LedgerFigures | None, lag: Lag) -> tuple[Problem, ...]:
    moved = figures.batch_age_seconds if figures else float("inf")
    young = state is not None and (datetime.now(UTC) - state.at).total_seconds() < STALLED
    if lag.messages and lag.seconds > STALLED and moved > STALLED and not young:
        text = f"{lag.messages} 条消息等待 messages wait, the oldest for {lag.seconds:.0f} s, and nothing is loaded"
        return (Problem(text, "看 see: gridstream logs stream"),)
    return ()

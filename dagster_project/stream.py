"""The stream seen from outside: lag, progress, and the checks of the ledger. Dagster does not run the stream."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import msgspec
from clickhouse_connect.driver.exceptions import DatabaseError

from dagster_project.faults import RETRIES, faults
from dagster_project.resources import Services
from infra.settings import Settings
from pipelines.errors import GridstreamError
from pipelines.services import kafka
from pipelines.stream.state import read_state
from pipelines.verify.ledger import check_ledger, read_ledger
from pipelines.watch.lag import Lag, LedgerFigures, current_lag, ledger_figures

KEEPS_UP = "stream_keeps_up"
PATIENCE = 120.0  # seconds a message may wait in Kafka
EVERY = 300.0  # seconds between reports of an unchanged state, to keep Dagster's event log small

UNFINISHED_AFTER_SECONDS = 600  # seconds after which a range begun and not finished is worth a warning
LOADED = ("events", "ledger", "reports")


@dataclass(frozen=True)
class Look:
    """What is seen at one moment. `problem` says in one line why the stream does not keep up."""

    lag: Lag | None = None
    figures: LedgerFigures | None = None
    problem: str | None = None

    @property
    def keeps_up(self) -> bool:
        return self.problem is None

    @property
    def metadata(self) -> dict[str, Any]:
        waiting = {"waiting": self.lag.messages, "oldest_waits_seconds": round(self.lag.seconds, 1)} if self.lag else {}
        return waiting | (_loaded(self.figures) if self.figures else {})


class Cursor(msgspec.Struct):
    """What was reported last: `at` in seconds since 1970, totals of the ledger."""

    at: float = 0.0
    keeps_up: bool = True
    offsets: int = 0
    quarantined: int = 0


def look(services: Services) -> Look:
    """Ask Kafka and the ledger; a service that does not answer is a problem, not an error."""
    now = services.settings
    alarm = held_back(now)
    try:
        with services.clickhouse("engineer") as client:
            figures = ledger_figures(client, kafka.topic_id(now.kafka_bootstrap, now.topic))
            waiting = current_lag(client, now.kafka_bootstrap, now.topic)
    except (GridstreamError, DatabaseError) as error:
        return Look(problem=alarm or f"{type(error).__name__}: {error}".splitlines()[0][:500])
    late = waiting.seconds > PATIENCE
    problem = f"{waiting.messages} messages wait, the oldest for {waiting.seconds:.0f} s" if late else None
    return Look(waiting, figures, alarm or problem)


def held_back(now: Settings) -> str | None:
    """What the stream itself says when its circuit breaker holds it, at a defect, or when it stopped at a fault."""
    state = read_state(now.run / "stream.json")
    return f"{state.condition}: {state.reason}" if state and state.condition in ("held", "failed", "defect") else None


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="观察流：积压、进度、拒收率\n\nWatches the stream: what waits, how far it is, how much is rejected.",
)
def stream_watch(context: dg.SensorEvaluationContext, services: Services) -> dg.SensorResult:
    before = msgspec.json.decode(context.cursor, type=Cursor) if context.cursor else Cursor()
    seen = look(services)
    if seen.keeps_up == before.keeps_up and time.time() - before.at < EVERY:
        return dg.SensorResult(skip_reason=seen.problem or "无变化 nothing new", cursor=context.cursor)
    after = _cursor(seen, before)
    events = list(_events(seen, before, after))
    return dg.SensorResult(asset_events=events, cursor=msgspec.json.encode(after).decode())


def _cursor(seen: Look, before: Cursor) -> Cursor:
    figures = seen.figures
    if figures is None:
        return Cursor(time.time(), seen.keeps_up, before.offsets, before.quarantined)
    offsets = figures.good + figures.quarantined + figures.duplicates
    return Cursor(time.time(), seen.keeps_up, offsets, figures.quarantined)


def _events(
    seen: Look, before: Cursor, after: Cursor
) -> Iterator[dg.AssetObservation | dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    yield dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("events"),
        check_name=KEEPS_UP,
        passed=seen.keeps_up,
        metadata=seen.metadata,
        description=seen.problem,
    )
    if seen.lag:
        partitions = {f"waiting in partition {number}": count for number, count in seen.lag.by_partition.items()}
        yield dg.AssetObservation("grid_reports", metadata=seen.metadata | partitions)
    if after.offsets != before.offsets:
        yield from (dg.AssetMaterialization(name, metadata=seen.metadata) for name in LOADED)
    if after.quarantined != before.quarantined:
        yield dg.AssetMaterialization("quarantine", metadata={"dagster/row_count": after.quarantined, **seen.metadata})


def _loaded(figures: LedgerFigures) -> dict[str, Any]:
    found: dict[str, Any] = {
        "good": figures.good,
        "quarantined": figures.quarantined,
        "duplicates": figures.duplicates,
        "rows_per_second": round(figures.rows_per_second, 1),
        "last_batch_seconds_ago": round(figures.batch_age_seconds, 1),
    }
    if figures.quarantine_rate is not None:
        found["quarantine_rate_last_hour"] = round(figures.quarantine_rate, 5)
    return found


@dg.asset_check(asset="ledger", retry_policy=RETRIES)
def ledger_balances(services: Services) -> dg.AssetCheckResult:
    """账本连续，条数相符。Ranges are contiguous, and last - first + 1 = good + quarantined + duplicates."""
    with faults(), services.clickhouse("engineer") as client:
        check = check_ledger(read_ledger(client, services.settings.topic), {}, UNFINISHED_AFTER_SECONDS)
    found = {f"{finding.zh} {finding.en}": finding.count for finding in check.findings}
    examples = [dict(example) for finding in check.findings for example in finding.examples]
    return dg.AssetCheckResult(
        passed=check.state in ("holds", "skipped"),
        severity=dg.AssetCheckSeverity.ERROR if check.state == "fails" else dg.AssetCheckSeverity.WARN,
        metadata={**check.figures, **found, **({"examples": examples} if examples else {})},
    )


@dg.asset_check(asset="events", name=KEEPS_UP)
def stream_keeps_up(services: Services) -> dg.AssetCheckResult:
    """没有消息等得太久。No message waits too long; the sensor `stream_watch` asks the same every minute."""
    seen = look(services)
    return dg.AssetCheckResult(passed=seen.keeps_up, description=seen.problem, metadata=seen.metadata)


STREAM_CHECKS = [ledger_balances, stream_keeps_up]

"""The stream seen from outside: its health and figures, and the ledger's check. Dagster does not run the stream."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg
import msgspec

from dagster_project.faults import RETRIES, faults
from dagster_project.resources import Services
from pipelines.verify import UNFINISHED_AFTER_SECONDS
from pipelines.verify.ledger import check_ledger, read_ledger
from pipelines.watch.figures import LedgerFigures
from pipelines.watch.health import Health, Observation, judge
from pipelines.watch.observe import observe

KEEPS_UP = "stream_keeps_up"
EVERY_SECONDS = 300.0  # between reports of an unchanged state, to keep Dagster's event log small
WRITTEN_BY_STREAM = ("events", "ledger", "reports")
_SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


class Cursor(msgspec.Struct):
    """What the sensor reported last: `at` in Unix seconds, the ids of the problems, and totals of the ledger."""

    at: float = 0.0
    problems: tuple[str, ...] = ()
    offsets: int = 0
    quarantined: int = 0


def look(services: Services) -> Observation:
    """The state file, Kafka and the ledger; a service that does not answer is part of the observation."""
    config = services.settings
    open_client = partial(services.clickhouse, "engineer")
    return observe(config.run / "stream.json", config.kafka_bootstrap, config.topic, open_client)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="观察流作业：健康、积压、进度、拒收率\n\nWatches the stream: health, lag, progress, rejected share.",
)
def stream_watch(context: dg.SensorEvaluationContext, services: Services) -> dg.SensorResult:
    before = msgspec.json.decode(context.cursor, type=Cursor) if context.cursor else Cursor()
    seen = look(services)
    health = judge(seen)
    after = next_cursor(seen, health, before)
    if after.problems == before.problems and after.at - before.at < EVERY_SECONDS:
        return dg.SensorResult(skip_reason=describe(health) or "无变化 nothing new", cursor=context.cursor)
    events = list(asset_events(seen, health, before, after))
    return dg.SensorResult(asset_events=events, cursor=msgspec.json.encode(after).decode())


def next_cursor(seen: Observation, health: Health, before: Cursor) -> Cursor:
    """The cursor after a report; totals stay as they were when the ledger could not be read."""
    problems = tuple(problem.id for problem in health.problems)
    if seen.ledger is None:
        return Cursor(time.time(), problems, before.offsets, before.quarantined)
    return Cursor(time.time(), problems, seen.ledger.total, seen.ledger.quarantined)


def asset_events(
    seen: Observation, health: Health, before: Cursor, after: Cursor
) -> Iterator[dg.AssetObservation | dg.AssetCheckEvaluation]:
    """The check, the lag of the topic, and an observation of each table that grew since `before`.

    No materializations: Dagster hides results of checks that are older than the newest materialization of their asset.
    """
    figures = metadata(seen)
    yield dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("events"),
        check_name=KEEPS_UP,
        passed=health.ok,
        severity=severity(health),
        metadata=figures,
        description=describe(health),
    )
    if seen.lag:
        partitions = {f"waiting in partition {number}": count for number, count in seen.lag.by_partition.items()}
        yield dg.AssetObservation("grid_reports", metadata=figures | partitions)
    if after.offsets != before.offsets:
        yield from (dg.AssetObservation(name, metadata=figures) for name in WRITTEN_BY_STREAM)
    if after.quarantined != before.quarantined:
        yield dg.AssetObservation("quarantine", metadata={"dagster/row_count": after.quarantined, **figures})


def severity(health: Health) -> dg.AssetCheckSeverity:
    """WARN when the stream loads and a person should only have a look; ERROR otherwise."""
    return _SEVERITIES[health.severity or "error"]


def describe(health: Health) -> str | None:
    """A line for each problem and what to do about it; None when there is none."""
    return "\n".join(f"{problem.what} → {problem.do}" for problem in health.problems) or None


def metadata(seen: Observation) -> dict[str, Any]:
    """Lag and ledger figures, as far as they are known."""
    waiting = {"waiting": seen.lag.messages, "oldest_waits_seconds": round(seen.lag.seconds, 1)} if seen.lag else {}
    return waiting | (_ledger_metadata(seen.ledger) if seen.ledger else {})


def _ledger_metadata(figures: LedgerFigures) -> dict[str, Any]:
    values: dict[str, Any] = {
        "good": figures.good,
        "quarantined": figures.quarantined,
        "duplicates": figures.duplicates,
        "rows_per_second": round(figures.rows_per_second, 1),
        "last_batch_seconds_ago": round(figures.batch_age_seconds, 1),
    }
    if figures.quarantine_rate is not None:
        values["quarantine_rate_last_hour"] = round(figures.quarantine_rate, 5)
    return values


@dg.asset_check(asset="ledger", retry_policy=RETRIES)
def ledger_balances(services: Services) -> dg.AssetCheckResult:
    """账本连续，条数相符。Ranges are contiguous, and last - first + 1 = good + quarantined + duplicates."""
    with faults(), services.clickhouse("engineer") as client:
        check = check_ledger(read_ledger(client, services.settings.topic), {}, UNFINISHED_AFTER_SECONDS)
    counts = {f"{finding.zh} {finding.en}": finding.count for finding in check.findings}
    examples = [dict(example) for finding in check.findings for example in finding.examples]
    return dg.AssetCheckResult(
        passed=check.state in ("holds", "skipped"),
        severity=dg.AssetCheckSeverity.ERROR if check.state == "fails" else dg.AssetCheckSeverity.WARN,
        metadata={**check.figures, **counts, **({"examples": examples} if examples else {})},
    )


@dg.asset_check(asset="events", name=KEEPS_UP)
def stream_keeps_up(services: Services) -> dg.AssetCheckResult:
    """流作业正常，与 gridstream status 同一结论。The stream is well: the same verdict as `gridstream status` gives.

    The sensor `stream_watch` asks for it every minute.
    """
    seen = look(services)
    health = judge(seen)
    return dg.AssetCheckResult(
        passed=health.ok, severity=severity(health), description=describe(health), metadata=metadata(seen)
    )


STREAM_CHECKS = [ledger_balances, stream_keeps_up]

"""Proof, from Kafka and ClickHouse alone, that nothing was lost and nothing counted twice.

It shares no code with the loader, so that a bug there cannot hide here.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import monotonic
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.services.clickhouse import ClickHouse, connect
from pipelines.verify.completeness import Reading, check_completeness, walk
from pipelines.verify.kafka_log import TopicLog
from pipelines.verify.ledger import Ranges, check_ledger, newest, read_ledger
from pipelines.verify.marts import check_marts
from pipelines.verify.report import Check, ProofFinding, VerifyReport
from pipelines.verify.rollup import check_rollup
from pipelines.verify.stored import Tally, check_counts
from pipelines.verify.tables import check_reports, check_uniqueness

__all__ = ["UNFINISHED_AFTER_SECONDS", "Check", "ProofFinding", "VerifyProgress", "VerifyReport", "verify"]

WINDOW = 1_000_000
# A range takes seconds; a stream that waits for a service finishes it when the service is back.
UNFINISHED_AFTER_SECONDS = 600


class VerifyProgress(NamedTuple):
    """Callbacks for a progress bar, in offsets: `started` is called once with the total, `done` with each step."""

    started: Callable[[int], None] = lambda total: None
    done: Callable[[int], None] = lambda offsets: None


def verify(
    bootstrap: str,
    topic: str,
    clickhouse: ClickHouse,
    hash_key: bytes,
    *,
    quick: bool = False,
    window: int = WINDOW,
    patience: int = UNFINISHED_AFTER_SECONDS,
    progress: VerifyProgress | None = None,
) -> VerifyReport:
    """Run every check.

    Args:
        bootstrap: Kafka's bootstrap servers.
        clickhouse: a user who may read events, quarantine, ledger, reports, rollup and marts.
        hash_key: key of the hashes of rejected messages (`GRIDSTREAM_HASH_KEY`).
        quick: do not read Kafka's messages, only its offsets.
        window: offsets held in memory at once (about 100 bytes each).
        patience: seconds after which a range that was begun and not finished is a warning.

    Raises:
        UserFault: there is no such topic.
        TransientFault: Kafka or ClickHouse does not answer.
    """
    began = monotonic()
    with ExitStack() as stack:
        client = connect(clickhouse)
        stack.callback(client.close)
        loads = read_ledger(client, topic)  # before Kafka's ends: the stream may be running
        log = stack.enter_context(TopicLog(bootstrap, topic))
        begins = {(log.topic_id, partition): begin for partition, begin in log.begins.items()}
        checks = (
            check_ledger(loads, begins, patience),
            *_check_offsets(client, log, newest(loads), quick, window, hash_key, progress or VerifyProgress()),
            check_uniqueness(client),
            check_reports(client),
            check_rollup(client),
            check_marts(client),
        )
        return VerifyReport(topic, log.topic_id, clickhouse.database, quick, checks, monotonic() - began)


def _check_offsets(
    client: Client,
    log: TopicLog,
    loads: Sequence[Ranges],
    quick: bool,
    window: int,
    hash_key: bytes,
    progress: VerifyProgress,
) -> tuple[Check, Check]:
    """The checks that walk all offsets: the tables against the ledger, and the topic against the tables."""
    tallies = [Tally(load, load.epoch) for load in loads]
    progress.started(sum(load.high_water - int(load.first[0]) + 1 for load in loads if len(load.first)))
    readings: list[Reading] = []
    for tally in tallies:
        readable = tally.load.topic_id == log.topic_id and not quick
        reading = walk(client, log if readable else None, tally, window, hash_key, progress.done)
        if readable:
            readings.append(reading)
    counts = check_counts(client, log.topic, tallies, sum(_unproven(tally, log, quick) for tally in tallies))
    current = [tally for tally in tallies if tally.load.topic_id == log.topic_id]
    return counts, check_completeness(log, current, readings, quick)


def _unproven(tally: Tally, log: TopicLog, quick: bool) -> int:
    """Number of rows merged away whose messages were not read: Kafka no longer has them, or `quick`."""
    load = tally.load
    gone = load.topic_id != log.topic_id or quick
    begin = load.high_water + 1 if gone else log.begins.get(load.partition, 0)
    return int((load.good - tally.events)[load.first < begin].clip(0).sum())

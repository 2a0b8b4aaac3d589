"""Proof, from Kafka and ClickHouse alone, that nothing was lost and nothing counted twice.

Shares no code with what loads: a mistake there cannot hide itself here.
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

__all__ = ["Check", "ProofFinding", "VerifyProgress", "VerifyReport", "verify"]

WINDOW = 1_000_000
UNFINISHED_AFTER_SECONDS = 600


class VerifyProgress(NamedTuple):
    """Who is told how far it is, in offsets: the total once, then steps."""

    started: Callable[[int], None] = lambda total: None
    done: Callable[[int], None] = lambda offsets: None


def verify(
    bootstrap: str,
    topic: str,
    clickhouse: ClickHouse,
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
        quick: leave Kafka's messages unread; only its offsets are asked for.
        window: offsets held in memory at once (about 100 bytes each).
        patience: seconds after which a range begun and not finished is worth a warning.

    Raises:
        UserFault: no such topic.
        TransientFault: Kafka or ClickHouse does not answer.
    """
    began = monotonic()
    with ExitStack() as stack:
        client = connect(clickhouse)
        stack.callback(client.close)
        loads = read_ledger(client, topic)  # before Kafka's ends: the stream may be running
        log = stack.enter_context(TopicLog(bootstrap, topic))
        checks = (
            check_ledger(loads, {(log.topic_id, p): begin for p, begin in log.begins.items()}, patience),
            *_offsets(client, log, newest(loads), quick, window, progress or VerifyProgress()),
            check_uniqueness(client),
            check_reports(client),
            check_rollup(client),
            check_marts(client),
        )
        return VerifyReport(topic, log.topic_id, clickhouse.database, quick, checks, monotonic() - began)


def _offsets(
    client: Client, log: TopicLog, loads: Sequence[Ranges], quick: bool, window: int, progress: VerifyProgress
) -> tuple[Check, Check]:
    """The checks that walk offsets: the tables against the ledger, and the topic against the tables."""
    tallies = [Tally(load, load.epoch) for load in loads]
    progress.started(sum(load.high_water - int(load.first[0]) + 1 for load in loads if len(load.first)))
    reading: dict[int, Reading] = {}
    for tally in tallies:
        alive = tally.load.topic_id == log.topic_id and not quick
        seen = walk(client, log if alive else None, tally, window, progress.done)
        if alive:
            reading[tally.load.partition] = seen
    counts = check_counts(client, log.topic, tallies, sum(_unproven(tally, log, quick) for tally in tallies))
    current = [tally for tally in tallies if tally.load.topic_id == log.topic_id]
    return counts, check_completeness(log, current, list(reading.values()), quick)


def _unproven(tally: Tally, log: TopicLog, quick: bool) -> int:
    """Rows merged away whose messages were not read: Kafka has them no more, or `quick`."""
    load = tally.load
    gone = load.topic_id != log.topic_id or quick
    begin = load.high_water + 1 if gone else log.begins.get(load.partition, 0)
    return int((load.good - tally.events)[load.first < begin].clip(0).sum())

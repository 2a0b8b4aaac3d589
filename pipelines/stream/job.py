"""The driver of the stream: starts the query, gives each micro-batch to the tasks, and decides what a fault means.

* A service is down: the same micro-batch is tried again for ever, with a growing pause; Kafka keeps what arrives.
* A position is wrong: stop, say why, and do not restart (exit code `POSITION_EXIT`, which the supervisor respects).
* A bug: tried again as well, but reported as a bug, with its place in the code.
* The circuit breaker is open: nothing more is read. The process stays up and holds the micro-batch until a person
  orders it to go on, so that the order takes effect at once and `status` can distinguish a held stream from a dead
  one.
"""

import contextlib
import functools
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, TypeVar

import msgspec
from clickhouse_connect.driver.client import Client
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential
from tenacity.nap import sleep_using_event

from pipelines.classify import current_model
from pipelines.clock import utc_now
from pipelines.errors import Defect, GridstreamError, PositionFault, TransientFault, first_line
from pipelines.load import ledger
from pipelines.load.ranges import LoadProgress, Stream
from pipelines.services import kafka
from pipelines.services.clickhouse import connect, is_transient
from pipelines.stream import gaps
from pipelines.stream.breaker_memory import BreakerMemory
from pipelines.stream.broadcast import SentRegistry
from pipelines.stream.config import StreamConfig
from pipelines.stream.hold import HOW_TO_RESUME, BreakerOpen, Held, order_path, read_order
from pipelines.stream.session import EARLIEST, records, start_session
from pipelines.stream.state import Condition, write_state
from pipelines.stream.task import RESULT, Work, run

log = logging.getLogger("gridstream.stream")
T = TypeVar("T")

POSITION_EXIT = 3  # exit code of a stream that must not be restarted before a person looked
_ORDER_POLL_SECONDS = 1.0
_LONGEST_PAUSE = 30.0  # seconds between two tries while a service is down
# Spark's error classes for offsets that Kafka no longer has; decided by class, not by text.
_LOST_DATA = ("KAFKA_DATA_LOSS", "UNEXPECTED_KAFKA")


class _TopicRecreated(GridstreamError):
    """The topic is not the one that the query was started for: only a new query can go on."""


class StreamJob:
    """One stream process from start to end; `stop()` (or SIGTERM, SIGINT) ends it between two micro-batches."""

    def __init__(self, config: StreamConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._fault: GridstreamError | None = None
        self._registry = SentRegistry()
        self._new_memory()

    def stop(self, *_: object) -> None:
        """Ask the stream to end; what is being loaded is finished or safely repeated next time."""
        self._stopping.set()

    def run(self) -> None:
        """Stream until stopped.

        Raises:
            PositionFault: see the module; `Fenced` when a newer process took over.
            UserFault: the settings are wrong, or the topic or the registry is missing.
        """
        self._report("starting")
        try:
            with ThreadPoolExecutor(1) as warming:  # compiles the classifier's kernel once, for all workers' cache
                warming.submit(lambda: current_model(self._config.model).warm_up())
                session = start_session(self._config)
            log.info("Spark %s is up", session.version)
            # PySpark installs its own handler when the session starts: this one must come after it.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self.stop)
            self._retry(functools.partial(self._run_query, session))
            _end(session)
        except GridstreamError as fault:
            if not self._stopping.is_set():
                self._report("failed", str(fault))
                raise
        self._report("stopped")

    def _run_query(self, session: SparkSession) -> None:
        """Run the query until it ends; a fault of a service is raised as `TransientFault`."""
        self._fault = None
        self._new_memory()
        topic = kafka.describe(self._config.kafka_bootstrap, self._config.topic)
        stream = ledger.acquire(self._client, self._config.topic, topic.id)
        progress = ledger.progress(self._client, stream)
        self._require_no_gap(stream, progress)
        # Without a checkpoint the query begins right after the ledger.
        nexts = {number: progress.next_offset(number) for number in topic.partitions}
        starting = {number: EARLIEST if due is None else due for number, due in nexts.items()}
        log.info(
            "writer %d of topic %s (%s); after the ledger: %s", stream.writer, stream.topic, stream.topic_id, starting
        )
        query = (
            records(session, self._config, starting)
            .writeStream.queryName("gridstream")
            .foreachBatch(functools.partial(self._batch, stream))
            .option("checkpointLocation", self._checkpoint(stream, progress))
            .trigger(processingTime=f"{int(self._config.trigger_seconds * 1000)} milliseconds")
            .start()
        )
        self._report("running")
        try:
            self._await(query)
        except StreamingQueryException as error:
            raise self._fault_of(stream, error) from error

    def _new_memory(self) -> None:
        self._memory = BreakerMemory(self._config.breaker, order_path(self._config.state_file))

    def _checkpoint(self, stream: Stream, progress: LoadProgress) -> str:
        """Spark's own record of the topic cannot jump over a gap that was given up: a new one begins after it."""
        return f"{self._config.checkpoint}/{stream.topic_id}" + (f".{len(progress.lost)}" if progress.lost else "")

    def _await(self, query: StreamingQuery) -> None:
        while not self._stopping.is_set():
            if query.awaitTermination(1):
                return
        _end(query)

    def _fault_of(self, stream: Stream, error: PySparkException) -> GridstreamError:
        """Whether messages are lost is decided by the offsets themselves: Spark reports it in several ways."""
        if self._fault is not None:
            recreated = isinstance(self._fault, _TopicRecreated)
            return TransientFault(str(self._fault)) if recreated else self._fault
        try:
            self._require_no_gap(stream, ledger.progress(self._client, stream))
        except GridstreamError as fault:
            return fault
        if (error.getCondition() or "").startswith(_LOST_DATA):
            return PositionFault(
                f"Kafka 已无接下来的消息 Kafka no longer has the offsets that come next: {first_line(error)}"
            )
        return TransientFault(f"the query ended: {first_line(error)}")

    def _require_no_gap(self, stream: Stream, progress: LoadProgress) -> None:
        beginnings = kafka.beginning_offsets(self._config.kafka_bootstrap, self._config.topic)
        if missing := gaps.gaps(progress, beginnings):
            gaps.record(self._client, stream, missing)
            raise gaps.fault(missing)

    def _batch(self, stream: Stream, frame: DataFrame, batch_id: int) -> None:
        """Called by Spark for each micro-batch; returns only when all of it is loaded."""
        started = monotonic()
        try:
            rows = self._load_or_hold(stream, frame, batch_id)
        except GridstreamError as fault:
            self._fault = fault
            raise
        except (PySparkException, Py4JError):  # a worker or the JVM died
            raise
        except Exception as error:
            self._fault = Defect.of(error)
            log.exception("unforeseen error")
            raise
        seconds = round(monotonic() - started, 3)
        log.info("batch %d: %d messages in %.2f s", batch_id, rows, seconds)
        self._report("running", batch_id=batch_id, rows=rows, seconds=seconds)

    def _load_or_hold(self, stream: Stream, frame: DataFrame, batch_id: int) -> int:
        while True:
            try:
                return self._retry(functools.partial(self._load, stream, frame, batch_id))
            except BreakerOpen as fault:
                self._hold(stream, fault)

    def _hold(self, stream: Stream, fault: BreakerOpen) -> None:
        """Return when a person has ordered to go on; raise `fault` when the stream is asked to stop."""
        path = order_path(self._config.state_file)
        before = read_order(path, stream.topic_id)
        log.error("held: %s", fault)
        self._report("held", f"{fault}. {HOW_TO_RESUME}", held=fault.held)
        while (order := read_order(path, stream.topic_id)) == before:
            if self._stopping.wait(_ORDER_POLL_SECONDS):
                raise fault
        log.warning("resumed; messages count for the breaker from %s on", order.counts_from if order else {})
        self._report("running")

    def _load(self, stream: Stream, frame: DataFrame, batch_id: int) -> int:
        ledger.still_mine(self._client, stream)
        topic = kafka.describe(self._config.kafka_bootstrap, self._config.topic)
        # Spark knows a topic by its name only: it would continue a recreated topic at the old offset.
        if topic.id != stream.topic_id:
            raise _TopicRecreated(f"topic {stream.topic} was recreated ({topic.id}); it is read from its beginning")
        work = self._work(stream, topic, frame.sparkSession, batch_id)
        log.debug("batch %d: %s", batch_id, work.progress)
        results = frame.mapInArrow(functools.partial(run, work=work), from_arrow_schema(RESULT)).collect()
        _raise_faults(results)
        self._memory.learn(results)
        return sum(row.last_offset - row.first_offset + 1 for row in results)

    def _work(self, stream: Stream, topic: kafka.Topic, session: SparkSession, batch_id: int) -> Work:
        current_model(self._config.model)  # a model that no task could use stops the stream here, with a clear error
        progress = ledger.progress(self._client, stream)
        grids = self._registry.current(session.sparkContext, self._client)
        new = [number for number in topic.partitions if number not in progress.high_water]
        beginnings = kafka.beginning_offsets(self._config.kafka_bootstrap, self._config.topic) if new else {}
        earliest = {number: beginnings[number] for number in new if number in beginnings}
        counts_from, refused = self._memory.recall(self._client, stream, progress)
        return Work(
            self._config,
            stream,
            progress,
            earliest,
            grids,
            batch_id,
            utc_now(),
            counts_from=counts_from,
            refused=refused,
        )

    @functools.cached_property
    def _client(self) -> Client:
        return connect(self._config.clickhouse)

    def _retry(self, work: Callable[[], T]) -> T:
        """Do `work`, again and again while a service is down, until the stream is asked to stop."""
        tries = Retrying(
            retry=retry_if_exception_type(TransientFault),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE),
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            before_sleep=self._report_waiting,
            reraise=True,
        )
        return tries(_with_typed_faults(work))

    def _report_waiting(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        log.warning("waiting, try %d: %s", attempt.attempt_number, error)
        if isinstance(error, Defect):
            self._report("defect", f"{error} (try {attempt.attempt_number})")
        else:
            self._report("waiting", f"{error} (try {attempt.attempt_number}; goes on by itself)")

    def _report(self, condition: Condition, reason: str = "", **figures: Any) -> None:
        try:
            write_state(self._config.state_file, condition=condition, reason=reason, pid=os.getpid(), **figures)
        except OSError as error:  # a full disk must not end the stream over its state file
            log.warning("cannot write %r (%s) to the state file: %s", condition, reason, error)


def _end(part: StreamingQuery | SparkSession) -> None:
    """Stop it, unless the signal that stops this process has already ended the JVM."""
    with contextlib.suppress(Py4JError, OSError):
        part.stop()


def _with_typed_faults(work: Callable[[], T]) -> Callable[[], T]:
    def typed() -> T:
        try:
            return work()
        except GridstreamError:
            raise
        except Exception as error:
            if is_transient(error):
                raise TransientFault(first_line(error)) from error
            raise

    return typed


def _raise_faults(results: Iterable[Any]) -> None:
    """Position faults first: they outweigh a service that is down, which outweighs an open breaker."""
    details: dict[str, list[str]] = {}
    for row in results:
        details.setdefault(row.fault, []).append(row.detail)
    for kind, fault in (("position", PositionFault), ("transient", TransientFault), ("defect", Defect)):
        if kind in details:
            raise fault(min(details[kind]))
    if "held" in details:
        held = (msgspec.json.decode(detail, type=Held) for detail in details["held"])
        raise BreakerOpen(sorted(held, key=lambda part: part.partition))

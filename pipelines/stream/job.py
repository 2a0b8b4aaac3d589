"""The stream's driver: starts the query, feeds each micro-batch to the tasks, and decides what a fault means.

A service that is down: the same micro-batch is tried again, for ever, with a growing pause; Kafka
holds what arrives meanwhile. A wrong position: stop, say why, and do not come back by ourselves
(exit code `POSITION_EXIT`, which the supervisor leaves alone). A defect of ours: tried again likewise, but told as one,
with its place in the code. An open circuit breaker: nothing more is read; the
process stays up and holds the micro-batch until a person orders it to go on, so that the order takes effect at once
and `status` can tell a stream that is held from one that died.
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
from pipelines.stream.breaker_memory import Memory
from pipelines.stream.broadcast import SentRegistry
from pipelines.stream.config import StreamConfig
from pipelines.stream.hold import HOW_TO_RESUME, BreakerOpen, Held, order_path, read_order
from pipelines.stream.session import EARLIEST, records, start_session
from pipelines.stream.state import Condition, write_state
from pipelines.stream.task import RESULT_DDL, Work, run

log = logging.getLogger("gridstream.stream")
T = TypeVar("T")

POSITION_EXIT = 3  # exit code of a stream that must not be restarted before a person looked
_LOOK_SECONDS = 1.0  # between two looks for an order to resume
_LONGEST_PAUSE = 30.0  # seconds between two tries while a service is down
# Spark's error classes for offsets that Kafka no longer has; decided by class, not by text.
_LOST_DATA = ("KAFKA_DATA_LOSS", "UNEXPECTED_KAFKA")


class _Renewed(GridstreamError):
    """The topic is another one than the query was started for: only a new query can go on."""


class StreamJob:
    """One stream process from start to end; `stop()` (or SIGTERM, SIGINT) ends it between two batches."""

    def __init__(self, config: StreamConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._fault: GridstreamError | None = None
        self._registry = SentRegistry()
        self._partitions = 1
        self._memory = Memory(config.breaker, order_path(config.state_file))

    def stop(self, *_: object) -> None:
        """Ask the stream to end; what is being loaded is finished or safely repeated next time."""
        self._stopping.set()

    def run(self) -> None:
        """Stream until stopped.

        Raises:
            PositionFault: see the module; `Fenced` when a newer process took over.
            UserFault: the settings are wrong, or the topic or the registry is missing.
        """
        self._say("starting")
        try:
            with ThreadPoolExecutor(1) as warming:  # compiles the classifier's kernel once, for all workers' cache
                warming.submit(lambda: current_model(self._config.model).warm_up())
                session = start_session(self._config)
            log.info("Spark %s is up", session.version)
            # PySpark installs its own handler when the session starts: ours come after it.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self.stop)
            self._persist(functools.partial(self._query, session))
            _end(session)
        except GridstreamError as fault:
            if not self._stopping.is_set():
                self._say("failed", str(fault))
                raise
        self._say("stopped")

    def _query(self, session: SparkSession) -> None:
        """Run the query until it ends; a fault of a service is raised as `TransientFault`."""
        self._fault, self._memory = None, Memory(self._config.breaker, order_path(self._config.state_file))
        stream, progress = self._take_over()
        self._require_no_gap(stream, progress)
        starting = self._starting(progress)
        log.info(
            "writer %d of topic %s (%s); behind the ledger: %s", stream.writer, stream.topic, stream.topic_id, starting
        )
        frame = records(session, self._config, starting)
        query = (
            frame.writeStream.queryName("gridstream")
            .foreachBatch(functools.partial(self._batch, stream))
            .option("checkpointLocation", self._checkpoint(stream, progress))
            .trigger(processingTime=f"{int(self._config.trigger_seconds * 1000)} milliseconds")
            .start()
        )
        self._say("running")
        try:
            self._await(query)
        except StreamingQueryException as error:
            raise self._fault_of(stream, error) from error

    def _checkpoint(self, stream: Stream, progress: LoadProgress) -> str:
        """Spark's own account of the topic cannot jump over a gap that was given up: behind it a new one begins."""
        return f"{self._config.checkpoint}/{stream.topic_id}" + (f".{len(progress.lost)}" if progress.lost else "")

    def _await(self, query: StreamingQuery) -> None:
        while not self._stopping.is_set():
            if query.awaitTermination(1):
                return
        _end(query)

    def _fault_of(self, stream: Stream, error: PySparkException) -> GridstreamError:
        """Whether messages are lost is decided by the offsets themselves: Spark tells it in several ways."""
        if self._fault is not None:
            return self._fault if not isinstance(self._fault, _Renewed) else TransientFault(str(self._fault))
        try:
            self._require_no_gap(stream, ledger.progress(self._client, stream))
        except GridstreamError as fault:
            return fault
        if (error.getCondition() or "").startswith(_LOST_DATA):
            return PositionFault(f"Kafka no longer has the offsets that come next: {first_line(error)}")
        return TransientFault(f"the query ended: {first_line(error)}")

    def _require_no_gap(self, stream: Stream, progress: LoadProgress) -> None:
        if found := gaps.gaps(progress, kafka.beginning_offsets(self._config.kafka_bootstrap, self._config.topic)):
            gaps.record(self._client, stream, found)
            raise gaps.fault(found)

    def _take_over(self) -> tuple[Stream, LoadProgress]:
        topic_id = kafka.topic_id(self._config.kafka_bootstrap, self._config.topic)
        stream = ledger.acquire(self._client, self._config.topic, topic_id)
        return stream, ledger.progress(self._client, stream)

    def _starting(self, progress: LoadProgress) -> dict[int, int]:
        """Where to begin when there is no checkpoint: right behind the ledger."""
        known = kafka.partitions(self._config.kafka_bootstrap, self._config.topic)
        nexts = {number: progress.next_offset(number) for number in known}
        return {number: EARLIEST if due is None else due for number, due in nexts.items()}

    def _batch(self, stream: Stream, frame: DataFrame, batch_id: int) -> None:
        """Called by Spark for each micro-batch; returns only when all of it is loaded."""
        started = monotonic()
        try:
            rows = self._loaded(stream, frame, batch_id)
        except GridstreamError as fault:
            self._fault = fault
            raise
        except (PySparkException, Py4JError):  # a worker or the JVM died
            raise
        except Exception as error:
            self._fault = Defect.of(error)
            log.exception("an error that nobody foresaw")
            raise
        seconds = round(monotonic() - started, 3)
        log.info("batch %d: %d messages in %.2f s", batch_id, rows, seconds)
        self._say("running", batch_id=batch_id, rows=rows, seconds=seconds)

    def _loaded(self, stream: Stream, frame: DataFrame, batch_id: int) -> int:
        while True:
            try:
                return self._persist(functools.partial(self._load, stream, frame, batch_id))
            except BreakerOpen as fault:
                self._hold(stream, fault)

    def _hold(self, stream: Stream, fault: BreakerOpen) -> None:
        """Return when a person has ordered to go on; raise `fault` when the stream is told to stop."""
        path = order_path(self._config.state_file)
        before = read_order(path, stream.topic_id)
        log.error("held: %s", fault)
        self._say("held", f"{fault}. {HOW_TO_RESUME}", held=fault.held)
        while (order := read_order(path, stream.topic_id)) == before:
            if self._stopping.wait(_LOOK_SECONDS):
                raise fault
        log.warning("resumed; messages count for the breaker from %s on", order.counts_from if order else {})
        self._say("running")

    def _load(self, stream: Stream, frame: DataFrame, batch_id: int) -> int:
        ledger.still_mine(self._client, stream)
        self._require_same_topic(stream)
        work = self._work(stream, frame.sparkSession, batch_id)
        log.debug("batch %d: orders %s", batch_id, work.progress)
        results = frame.mapInArrow(functools.partial(run, work=work), RESULT_DDL).collect()
        _raise_faults(results)
        self._memory.learn(results)
        return sum(row.last_offset - row.first_offset + 1 for row in results)

    def _require_same_topic(self, stream: Stream) -> None:
        """Spark knows a topic by its name only: of one made anew it would read on at the old one's offset."""
        found = kafka.topic_id(self._config.kafka_bootstrap, self._config.topic)
        if found != stream.topic_id:
            raise _Renewed(f"topic {stream.topic} was made anew ({found}); it is read from its beginning")

    def _work(self, stream: Stream, session: SparkSession, batch_id: int) -> Work:
        current_model(self._config.model)  # a model that no task could use stops the stream here, with a clear word
        progress = ledger.progress(self._client, stream)
        grids = self._registry.current(session.sparkContext, self._client)
        earliest, known = self._earliest(progress), self._memory.recall(self._client, stream, progress)
        return Work(self._config, stream, progress, earliest, grids, batch_id, utc_now(), *known)

    def _earliest(self, progress: LoadProgress) -> dict[int, int]:
        """Only a partition that the ledger does not know needs Kafka's word on where it begins."""
        if len(progress.high_water) >= self._partitions:
            return {}
        found = kafka.beginning_offsets(self._config.kafka_bootstrap, self._config.topic)
        self._partitions = len(found)
        return found

    @functools.cached_property
    def _client(self) -> Client:
        return connect(self._config.clickhouse)

    def _persist(self, work: Callable[[], T]) -> T:
        """Do `work`, again and again while a service is down, until the stream is told to stop."""
        tries = Retrying(
            retry=retry_if_exception_type(TransientFault),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE),
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            before_sleep=self._waiting,
            reraise=True,
        )
        return tries(_with_faults_named(work))

    def _waiting(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        log.warning("waiting, try %d: %s", attempt.attempt_number, error)
        if isinstance(error, Defect):
            self._say("defect", f"{error} (try {attempt.attempt_number})")
        else:
            self._say("waiting", f"{error} (try {attempt.attempt_number}; goes on by itself)")

    def _say(self, condition: Condition, reason: str = "", **figures: Any) -> None:
        try:
            write_state(self._config.state_file, condition=condition, reason=reason, pid=os.getpid(), **figures)
        except OSError as error:  # a full disk must not end the stream over a word
            log.warning("cannot say %r (%s): %s", condition, reason, error)


def _end(part: StreamingQuery | SparkSession) -> None:
    """Stop it, unless the signal that stops us has already ended the JVM."""
    with contextlib.suppress(Py4JError, OSError):
        part.stop()


def _with_faults_named(work: Callable[[], T]) -> Callable[[], T]:
    def named() -> T:
        try:
            return work()
        except GridstreamError:
            raise
        except Exception as error:
            if is_transient(error):
                raise TransientFault(first_line(error)) from error
            raise

    return named


def _raise_faults(results: Iterable[Any]) -> None:
    """Position faults first: they outweigh a service that is down, and that a breaker, which stays open."""
    faults: dict[str, list[str]] = {}
    for row in results:
        faults.setdefault(row.fault, []).append(row.detail)
    if found := faults.get("position"):
        raise PositionFault(min(found))
    if found := faults.get("transient"):
        raise TransientFault(min(found))
    if found := faults.get("defect"):
        raise Defect(min(found))
    if found := faults.get("held"):
        held = (msgspec.json.decode(detail, type=Held) for detail in found)
        raise BreakerOpen(sorted(held, key=lambda one: one.partition))

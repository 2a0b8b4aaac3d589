"""What the circuit breaker remembers from one micro-batch to the next: kept by the driver, read from ClickHouse after a
micro-batch that may have failed half way."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from pipelines.load.ranges import LoadProgress, Stream
from pipelines.services.queries import query_text
from pipelines.stream.breaker import Breaker, PackedRefused, Refused
from pipelines.stream.hold import ResumeOrder, read_order


class BreakerMemory:
    """The latest messages of each partition: which of them were refused."""

    def __init__(self, breaker: Breaker, order: Path) -> None:
        """`order`: the file of a person's order to resume (`hold.order_path`)."""
        self._breaker, self._path = breaker, order
        self._order: ResumeOrder | None = None
        self._before: dict[int, Refused] = {}
        self._sure = False

    def recall(
        self, client: Client, stream: Stream, progress: LoadProgress
    ) -> tuple[dict[int, int], dict[int, PackedRefused]]:
        """By partition: the offset from which on messages count, and the refused ones of the latest that do.

        Until `learn` is called the memory is in doubt: the micro-batch may fail half way.
        """
        order = read_order(self._path, stream.topic_id)
        if not self._sure or order != self._order:
            self._order, marks = order, progress.high_water
            self._before = {number: self._read(client, stream, number, last) for number, last in marks.items()}
        self._sure = False
        return self.counts_from, {number: PackedRefused.of(before) for number, before in self._before.items()}

    @property
    def counts_from(self) -> dict[int, int]:
        return self._order.counts_from if self._order else {}

    def learn(self, results: Iterable[Any]) -> None:
        """Add a micro-batch that is loaded; `results`: rows of `pipelines.stream.task.RESULT`."""
        refused = dict(self._before)
        for row in sorted(results, key=lambda row: (row.partition, row.first_offset)):
            if row.first_offset >= self.counts_from.get(row.partition, 0):
                fresh = np.frombuffer(row.refused, np.bool_)
                refused[row.partition] = self._breaker.remember(refused.get(row.partition, fresh[:0]), fresh)
        self._before, self._sure = refused, True

    def _read(self, client: Client, stream: Stream, partition: int, last: int) -> Refused:
        first = max(self.counts_from.get(partition, 0), last + 1 - self._breaker.memory)
        refused = np.zeros(max(0, last + 1 - first), np.bool_)
        if len(refused):
            scope = {"topic_id": stream.topic_id, "partition": partition, "first": first, "last": last}
            rows = client.query(query_text("stream/recent_rejects.sql"), scope).result_rows
            refused[[int(row[0]) - first for row in rows]] = True
        return refused

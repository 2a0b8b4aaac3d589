"""The figures by which the stream is judged: its lag, and sums over the ledger. Pure values."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lag:
    """Messages in Kafka that are not loaded.

    by_partition: number of messages. seconds: how long the oldest of them has been in Kafka; 0 when there is none.
    """

    by_partition: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def messages(self) -> int:
        """The total over all partitions."""
        return sum(self.by_partition.values())


@dataclass(frozen=True)
class LedgerFigures:
    """Sums over the ledger of one topic.

    batch_id, batch_rows: the newest micro-batch and its messages. batch_age_seconds: since the newest range was
    finished. rows_per_second: the average over the last minute. good, quarantined, duplicates: messages of all time.
    hour_quarantined, hour_rows: rejected messages and all messages of the last hour. hour_isolated: of the rejected
    messages, those that the program could not process.
    """

    batch_id: int
    batch_rows: int
    batch_age_seconds: float
    rows_per_second: float
    good: int
    quarantined: int
    duplicates: int
    hour_quarantined: int
    hour_rows: int
    hour_isolated: int = 0

    @property
    def total(self) -> int:
        """All messages loaded: events, rejected messages and resends."""
        return self.good + self.quarantined + self.duplicates

    @property
    def quarantine_rate(self) -> float | None:
        """The share of the last hour's messages that was rejected, 0..1; None when there were none."""
        return self.hour_quarantined / self.hour_rows if self.hour_rows else None

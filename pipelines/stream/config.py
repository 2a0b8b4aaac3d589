"""The configuration of the stream; made from the settings by the process that starts it."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.intake.decode import Limits
from pipelines.services.clickhouse import ClickHouse
from pipelines.stream.breaker import Breaker


@dataclass(frozen=True)
class StreamConfig:
    """Where to read and write, and how much at a time.

    chunk_rows: inserts are cut at offsets that are multiples of it. max_batch_rows: the most
    messages of one micro-batch, over all partitions. trigger_seconds: the least time between the
    starts of two micro-batches. jars: local paths of Spark's Kafka connector. state_file: where the
    stream writes its condition (see `pipelines.stream.state`). mask_patterns: (name, regular expression) of
    what is masked in addition to the built-in kinds. model: the path of a promoted model, readable by
    every worker; while there is none, the shipped model is used. breaker: the limits from which the
    stream holds.
    """

    kafka_bootstrap: str
    topic: str
    clickhouse: ClickHouse
    checkpoint: str
    jars: tuple[Path, ...]
    state_file: Path
    hash_key: bytes = field(repr=False)
    spark_master: str = "local[2]"
    driver_memory: str = "1g"
    chunk_rows: int = 65_536
    max_batch_rows: int = 1_000_000
    trigger_seconds: float = 1.0
    limits: Limits = Limits()
    model: Path | None = None
    breaker: Breaker = Breaker()
    mask_patterns: tuple[tuple[str, str], ...] = ()

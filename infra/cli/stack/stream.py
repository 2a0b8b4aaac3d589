"""`gridstream stream run`: the Spark job, in the foreground; the embedded stack runs this under its supervisor.
`gridstream stream resume`: a person's order to go on, after the circuit breaker or a loss of messages."""

import logging
import os
from datetime import datetime
from typing import Annotated

import typer

from infra.cli.shared.output import fail
from infra.local.fetch.jars import SPARK_KAFKA, jars
from infra.local.fetch.java import find_java
from infra.settings import Settings, settings
from pipelines.clock import SHANGHAI
from pipelines.errors import PositionFault, UserFault
from pipelines.privacy.mask import read_patterns
from pipelines.services import kafka
from pipelines.stream import gaps
from pipelines.stream.breaker import Breaker
from pipelines.stream.config import StreamConfig
from pipelines.stream.hold import give_order, order_path
from pipelines.stream.state import read_state


def stream_config(config: Settings) -> StreamConfig:
    """The stream's configuration as the settings say; fetches Spark's Kafka connector when the cache lacks it."""
    java = find_java(config.cache)
    os.environ["JAVA_HOME"] = str(java.home)
    return StreamConfig(
        kafka_bootstrap=config.kafka_bootstrap,
        topic=config.topic,
        clickhouse=config.clickhouse("loader"),
        checkpoint=str(config.checkpoint_dir),
        jars=jars(SPARK_KAFKA, config.cache, java, ivy_settings=config.ivy_settings),
        state_file=config.run / "stream.json",
        hash_key=config.hash_key_bytes(),
        spark_master=config.spark_master,
        driver_memory=config.spark_driver_memory,
        chunk_rows=config.chunk_rows,
        max_batch_rows=config.max_batch_rows,
        trigger_seconds=config.trigger_seconds,
        mask_patterns=read_patterns(config.mask_patterns),
        model=config.model,
        breaker=Breaker(config.breaker_ratio, config.breaker_window, config.breaker_minimum, config.breaker_run),
    )


class ZonedFormatter(logging.Formatter):
    """Times as in all output of the command line, with their offset."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created, SHANGHAI).isoformat(" ", "milliseconds")


def run(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Spark 的日志也显示 show Spark's own log too")
    ] = False,
) -> None:
    """前台运行流作业：Kafka → 解码、检查、分类 → ClickHouse；Ctrl-C 安全停止。

    Runs the stream in the foreground; Ctrl-C stops it safely. Exit code 3: the position in Kafka is
    wrong, and going on would lose or double messages; `gridstream status` says what to do.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(ZonedFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for name in ("py4j", "py4j.clientserver", "kafka"):
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.CRITICAL)
    from pipelines.stream.job import POSITION_EXIT, StreamJob  # Spark takes a second to import

    try:
        StreamJob(stream_config(settings())).run()
    except PositionFault as fault:
        fail(str(fault), POSITION_EXIT)


def resume(
    accept: Annotated[
        bool, typer.Option("--accept", help="放行到隔离区 let what waits in the topic now into quarantine, however bad")
    ] = False,
    lost: Annotated[
        bool,
        typer.Option("--lost", help="放弃 Kafka 已删的消息 give up messages that Kafka deleted; see table gaps"),
    ] = False,
) -> None:
    """熔断后继续：从头计数；仍然太差则再次熔断。

    Lets a stream go on that its circuit breaker holds. Messages refused so far no longer count; when too many are
    refused again, the stream is held again. With --accept everything that is in the topic now passes, good or bad.
    With --lost, messages that Kafka deleted before they were loaded are given up; the stream that stopped because of
    them can then be started behind them.
    """
    if lost:
        _give_up_lost(settings())
    else:
        _resume_held(settings(), accept)


def _give_up_lost(config: Settings) -> None:
    with config.client("loader") as client:
        given_up = gaps.accept(client, kafka.topic_id(config.kafka_bootstrap, config.topic))
    if not given_up:
        raise UserFault("没有记录在案的缺口 no gap is recorded that was not given up already")
    for number, first, last in given_up:
        print(f"分区 partition {number}: 放弃 given up {last - first + 1}, offsets {first}..{last}")
    print("然后 then: gridstream up")


def _resume_held(config: Settings, accept: bool) -> None:
    state_file = config.run / "stream.json"
    state = read_state(state_file)
    if state is None or state.condition != "held":
        condition = state.condition if state else "never started"
        raise UserFault(f"流作业没有被熔断 the stream is not held by its circuit breaker; it is: {condition}")
    ends = kafka.end_offsets(config.kafka_bootstrap, config.topic) if accept else None
    counts_from = ends or {held.partition: held.next_offset for held in state.held}
    give_order(order_path(state_file), kafka.topic_id(config.kafka_bootstrap, config.topic), counts_from)
    for number, offset in sorted(counts_from.items()):
        print(f"分区 partition {number}: 自偏移量 from offset {offset} 起计数 on, messages count for the breaker")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="流作业 the Spark stream job", no_args_is_help=True)
    group.command("run")(run)
    group.command("resume")(resume)
    app.add_typer(group, name="stream")

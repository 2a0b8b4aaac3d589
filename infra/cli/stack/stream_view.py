"""The stream as people see it: `status` and the live view of the demo show the same figures."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from rich.console import RenderableType

from infra.cli.shared.output import Column, moment, number, percent, seconds, table
from infra.settings import Settings
from pipelines.watch.figures import LedgerFigures
from pipelines.watch.health import Observation
from pipelines.watch.observe import observe, observe_process

_CONDITIONS = {
    "starting": "启动中 starting",
    "running": "运行 running",
    "waiting": "等待 waiting",
    "defect": "程序缺陷 defect",
    "held": "熔断 held by its circuit breaker",
    "stopped": "已停 stopped",
    "failed": "失败 failed",
    "never started": "未启动过 never started",
}


def observe_stream(config: Settings, ask: bool = True) -> Observation:
    """The stream of these settings; without `ask`, only its state file and process are read."""
    state_file = config.run / "stream.json"
    if not ask:
        return observe_process(state_file)
    return observe(state_file, config.kafka_bootstrap, config.topic, partial(config.client, "engineer"))


def condition(seen: Observation) -> str:
    """What the stream wrote last, in one word, or `never started`."""
    return seen.state.condition if seen.state else "never started"


def render_stream(seen: Observation) -> RenderableType:
    """The stream's condition, lag and ledger figures as a table."""
    return table("流作业 Stream", (Column("项目", "item"), Column("现值", "value")), _rows(seen))


def _rows(seen: Observation) -> Iterator[tuple[str, Any]]:
    yield "状态 condition", _CONDITIONS[condition(seen)]
    if seen.state:
        yield "自 since", moment(seen.state.at)
    if seen.lag:
        yield "积压 lag", f"{number(seen.lag.messages)} 条 messages, 最久 oldest {seconds(seen.lag.seconds)}"
    if seen.ledger:
        yield from _ledger_rows(seen.ledger)


def _ledger_rows(figures: LedgerFigures) -> Iterator[tuple[str, Any]]:
    age = seconds(figures.batch_age_seconds)
    hour = f"{number(figures.hour_quarantined)}/{number(figures.hour_rows)} ({percent(figures.quarantine_rate)})"
    yield (
        "上一微批 last micro-batch",
        f"#{figures.batch_id}, {number(figures.batch_rows)} 条 messages, {age} 前 ago",
    )
    yield "速率 rate", f"{figures.rows_per_second:,.1f} 条/秒 messages/s (近一分钟 last minute)"
    yield "已入库 loaded", f"{number(figures.good)} 条 messages, 重发 resends {number(figures.duplicates)}"
    yield "隔离 quarantined", f"{number(figures.quarantined)} 条 messages, 近一小时 last hour {hour}"

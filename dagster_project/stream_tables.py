"""The tables that the stream writes. Dagster does not run the stream, it only observes them."""

import dagster as dg

from infra.settings import settings

STREAM = "stream"


def _table(name: str, deps: list[str], description: str, **metadata: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=deps,
        group_name=STREAM,
        kinds={"clickhouse"},
        description=description,
        metadata={"dagster/table_name": f"{settings().database}.{name}", **metadata},
    )


GRID_REPORTS = dg.AssetSpec(
    "grid_reports",
    group_name=STREAM,
    kinds={"kafka"},
    description="上报消息的 Kafka 主题，每条消息是一件上报在某一步的完整快照。\n\n"
    "The Kafka topic of the reports; a message is a complete snapshot of a report at one step of its life.",
    metadata={"topic": settings().topic},
)
EVENTS = _table(
    "events",
    ["grid_reports"],
    "已接收的消息，全部历史，按上报的本地日分区。\n\nEvery accepted message, full history, by local day of the report.",
)
QUARANTINE = _table(
    "quarantine",
    ["grid_reports"],
    "被拒的消息与拒绝的理由，已脱敏；修正后可重放。\n\n"
    "Every rejected message with its reasons, masked; it can be repaired and replayed: `gridstream quarantine`.",
)
LEDGER = _table(
    "ledger",
    ["grid_reports"],
    "账本：每个偏移量区间载入前后各一行；偏移量连续，条数相符。\n\n"
    "The ledger: a row before and a row after each offset range; the last finished offset is the high-water mark.",
    invariant="last - first + 1 = good + quarantined + duplicates, and ranges are contiguous",
)
REPORTS = _table(
    "reports",
    ["events"],
    "每件上报的当前状态（视图）：最新的消息，加上何时首次办结。\n\n"
    "The current state of each report (a view): its newest message, and when it was first handled.",
)
SOURCES = [GRID_REPORTS, EVENTS, QUARANTINE, LEDGER, REPORTS]

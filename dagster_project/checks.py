"""Asset checks: does the ledger add up, do the figures equal their recomputation, does the stream keep up."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_project.faults import RETRIES, faults
from dagster_project.resources import Services
from dagster_project.stream import KEEPS_UP, look
from pipelines.clock import now
from pipelines.marts.catalog import MARTS, Mart
from pipelines.marts.recheck import recheck_days, recheck_mart
from pipelines.marts.rollup import overdue_days
from pipelines.verify.ledger import check_ledger, read_ledger

PATIENCE = 600  # seconds after which a range begun and not finished is worth a warning


@dg.asset_check(asset="ledger", retry_policy=RETRIES)
def ledger_balances(services: Services) -> dg.AssetCheckResult:
    """账本连续，条数相符。Ranges are contiguous, and last - first + 1 = good + quarantined + duplicates."""
    with faults(), services.clickhouse("engineer") as client:
        check = check_ledger(read_ledger(client, services.settings.topic), {}, PATIENCE)
    found = {f"{finding.zh} {finding.en}": finding.count for finding in check.findings}
    examples = [dict(example) for finding in check.findings for example in finding.examples]
    return dg.AssetCheckResult(
        passed=check.state in ("holds", "skipped"),
        severity=dg.AssetCheckSeverity.ERROR if check.state == "fails" else dg.AssetCheckSeverity.WARN,
        metadata={**check.figures, **found, **({"examples": examples} if examples else {})},
    )


@dg.asset_check(asset="rollup_daily", retry_policy=RETRIES)
def rollup_equals_recomputation(services: Services) -> dg.AssetCheckResult:
    """最近重建的日等于由 reports 重算。The days built last equal what `reports` gives now."""
    with faults(), services.clickhouse("engineer") as client:
        return _equal(recheck_days(client), "cells")


@dg.asset_check(asset="rollup_daily", retry_policy=RETRIES)
def figures_are_current(services: Services) -> dg.AssetCheckResult:
    """近一周的数字至多落后 15 分钟，更早的 75 分钟。

    Figures of the last week are at most 15 minutes behind what was loaded, older ones at most 75.
    """
    with faults(), services.clickhouse("engineer") as client:
        behind = overdue_days(client, now().date())
    figures: dict[str, Any] = {"days behind": len(behind), "minutes": max(behind.values(), default=0)}
    named = {"days": [day.isoformat() for day in behind]} if behind else {}
    return dg.AssetCheckResult(passed=not behind, severity=dg.AssetCheckSeverity.WARN, metadata=figures | named)


def _mart_check(mart: Mart) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=mart.table, name="equals_recomputation", retry_policy=RETRIES)
    def check(services: Services) -> dg.AssetCheckResult:
        """最近重建的分区等于重算。The partitions built last equal their recomputation."""
        with faults(), services.clickhouse("engineer") as client:
            found = recheck_mart(client, mart)
        return _equal({f"{period.kind} {period.first}": count for period, count in found.items()}, "rows")

    return check


def _equal(found: Mapping[Any, int], what: str) -> dg.AssetCheckResult:
    wrong = {str(name): count for name, count in found.items() if count}
    figures: dict[str, Any] = {"partitions checked": len(found), f"differing {what}": sum(wrong.values())}
    return dg.AssetCheckResult(passed=not wrong, metadata=figures | wrong)


@dg.asset_check(asset="events", name=KEEPS_UP)
def stream_keeps_up(services: Services) -> dg.AssetCheckResult:
    """没有消息等得太久。No message waits too long; the sensor `stream_watch` asks the same every minute."""
    seen = look(services)
    return dg.AssetCheckResult(passed=seen.keeps_up, description=seen.problem, metadata=seen.metadata)


CHECKS = [
    ledger_balances,
    rollup_equals_recomputation,
    figures_are_current,
    stream_keeps_up,
    *map(_mart_check, MARTS),
]

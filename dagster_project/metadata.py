"""What Dagster shows of a build: materializations with row counts, and progress in the log."""

from collections.abc import Callable, Iterator, Sequence, Set
from itertools import groupby
from time import monotonic
from typing import Any

import dagster as dg

from pipelines.marts.build import MartBuild
from pipelines.marts.rollup import DayBuild
from pipelines.marts.runner import BuildResult

_EVERY = 5.0  # seconds between progress lines
_LISTED = 100


def materializations(result: BuildResult, partitions: Set[str]) -> Iterator[dg.AssetMaterialization]:
    """A materialization for each day that was built and is one of `partitions`, and for each mart that was built."""
    for day in result.days:
        if not day.superseded and day.day.isoformat() in partitions:
            yield dg.AssetMaterialization("rollup_daily", metadata=day_metadata([day]), partition=day.day.isoformat())
    for name, builds in groupby(result.marts, lambda build: build.mart):
        yield dg.AssetMaterialization(f"mart_{name}", metadata=mart_metadata(list(builds)))


def evaluation(table: str, check: str, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """The result of a check as an event of a run that does not run the check itself."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(table),
        check_name=check,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )


def day_metadata(days: Sequence[DayBuild]) -> dict[str, Any]:
    """Sums over `days`."""
    rows = sum(day.rows for day in days)
    return {
        "dagster/partition_row_count" if len(days) == 1 else "rows": rows,
        "reports": sum(day.reports for day in days),
        "seconds": round(sum(day.seconds for day in days), 3),
        "superseded": sum(day.superseded for day in days),
    }


def mart_metadata(builds: Sequence[MartBuild]) -> dict[str, Any]:
    """Sums over `builds`, and their periods."""
    listed = [f"- {build.period.kind} {build.period.first}: {build.rows} rows" for build in builds[-_LISTED:]]
    return {
        "partitions": len(builds),
        "rows": sum(build.rows for build in builds),
        "seconds": round(sum(build.seconds for build in builds), 3),
        "superseded": sum(build.superseded for build in builds),
        "periods": dg.MetadataValue.md("\n".join(listed) or "已是最新 all were up to date"),
    }


def log_progress(log: dg.DagsterLogManager, total: int) -> Callable[[int], None]:
    """A progress callback that writes a line every few seconds."""
    done, last = 0, monotonic()

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        if monotonic() - last > _EVERY or done == total:
            last = monotonic()
            log.info(f"{done} of {total} partitions built")

    return advance

"""Whether the newest builds still equal their recomputation. Partitions that are stale are not judged."""

from datetime import date

from clickhouse_connect.driver.client import Client

from pipelines.marts.build import mart_differences
from pipelines.marts.catalog import Mart, Period, period_of
from pipelines.marts.rollup import recompute_differences, stale_days
from pipelines.marts.runner import stale_marts

_LATEST_DAYS = "SELECT day FROM rollup_builds GROUP BY day ORDER BY max(built_at) DESC, day DESC LIMIT {limit:UInt32}"
_LATEST_PERIODS = """
SELECT period, period_start FROM mart_builds WHERE mart = {mart:String}
GROUP BY period, period_start ORDER BY max(built_at) DESC, period_start DESC LIMIT {limit:UInt32}"""


def recheck_days(client: Client, limit: int = 7) -> dict[date, int]:
    """The number of differing cells by day, of the `limit` days built last; 0 if the day equals its recomputation."""
    days = [day for (day,) in client.query(_LATEST_DAYS, {"limit": limit}).result_rows]
    differences = {day: len(recompute_differences(client, day)) for day in days}
    stale = set(stale_days(client, settle=0))  # read last, so that a day touched meanwhile is not judged
    return {day: count for day, count in differences.items() if day not in stale}


def recheck_mart(client: Client, mart: Mart, limit: int = 7) -> dict[Period, int]:
    """The number of differing rows by period, of the `limit` periods built last; 0 if it equals its recomputation."""
    rows = client.query(_LATEST_PERIODS, {"mart": mart.name, "limit": limit}).result_rows
    periods = [period_of(kind, first) for kind, first in rows]
    differences = {period: mart_differences(client, mart, period) for period in periods}
    stale = {period for other, period in stale_marts(client) if other == mart}
    if mart.reads_messages:
        stale |= {period_of("day", day) for day in stale_days(client)}
    return {period: count for period, count in differences.items() if period not in stale}

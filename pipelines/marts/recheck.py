"""Whether what was built last still equals its recomputation; what is stale by now is not judged."""

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
    """Differing cells of each of the days built last; 0 where the rollup holds."""
    days = [day for (day,) in client.query(_LATEST_DAYS, {"limit": limit}).result_rows]
    found = {day: len(recompute_differences(client, day)) for day in days}
    stale = set(stale_days(client, settle=0))  # asked last: a day touched while it was read is not judged
    return {day: count for day, count in found.items() if day not in stale}


def recheck_mart(client: Client, mart: Mart, limit: int = 7) -> dict[Period, int]:
    """Differing rows of each of the periods built last; 0 where the mart holds."""
    rows = client.query(_LATEST_PERIODS, {"mart": mart.name, "limit": limit}).result_rows
    periods = [period_of(kind, first) for kind, first in rows]
    found = {period: mart_differences(client, mart, period) for period in periods}
    stale = {period for other, period in stale_marts(client) if other == mart}
    if mart.reads_messages:
        stale |= {period_of("day", day) for day in stale_days(client)}
    return {period: count for period, count in found.items() if period not in stale}

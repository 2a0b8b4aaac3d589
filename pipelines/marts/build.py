"""A partition of a mart: computed from the rollup and swapped in, or compared with its recomputation."""

from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.clock import SHANGHAI, now
from pipelines.marts.catalog import Mart, Period
from pipelines.marts.swap import Superseded, Swap

# All builds so far of the days that a partition reads: of the rollup, or of the mart that it reads; and,
# for each of its days, of the days with a report that is due on it. And the digest of what else it reads.
_SOURCES = """
SELECT if({source:String} = '',
    (SELECT count() FROM rollup_builds WHERE day BETWEEN {from:Date} AND {last:Date}),
    (SELECT count() FROM mart_builds
     WHERE mart = {source:String} AND period_start BETWEEN {from:Date} AND {last:Date}))
  + if({reads_due:Bool},
    (SELECT sum(arrayCount(due_day -> due_day BETWEEN {from:Date} AND {last:Date}, due_days)) FROM rollup_builds), 0),
  (SELECT sum(digest) FROM build_inputs WHERE name = {mart:String})"""
_RECORD = """
INSERT INTO mart_builds (mart, period, period_start, seen, inputs, rows, seconds, run_id, as_of) VALUES
({mart:String}, {period:String}, {first:Date}, {seen:UInt64}, {inputs:UInt64}, {rows:UInt32}, {seconds:Float32},
 {run_id:String}, {as_of:DateTime('Asia/Shanghai')})"""
_AS_OF = """
SELECT max(as_of), count() FROM mart_area_ranking
WHERE period = {period:String} AND period_start = {first:Date}"""
_DIFFERING = """
SELECT count() FROM
(
    (SELECT * FROM $table WHERE $where EXCEPT SELECT * FROM ($select))
    UNION ALL
    (SELECT * FROM ($select) EXCEPT SELECT * FROM $table WHERE $where)
)"""


@dataclass(frozen=True)
class MartBuild:
    """A build of a partition of a mart; `rows` is 0 if it is empty or a later build took over."""

    mart: str
    period: Period
    rows: int = 0
    seconds: float = 0.0
    superseded: bool = False


def build_mart(client: Client, mart: Mart, period: Period, run_id: str, as_of: datetime) -> MartBuild:
    """Recomputes a partition from the rollup, or from the mart that it reads, and swaps it in."""
    started = monotonic()
    try:
        with Swap(client, mart.table, mart.partition(period)) as build:
            days = {"from": mart.first_day(period), "last": period.last}
            scope = days | {"mart": mart.name, "source": mart.source, "reads_due": mart.reads_due}
            seen, inputs = client.query(_SOURCES, scope).result_rows[0]
            rows = build.fill(mart.build_sql, _parameters(period, as_of))
            build.commit()
    except Superseded:
        return MartBuild(mart.name, period, superseded=True)
    seconds = monotonic() - started
    sources = {"mart": mart.name, "seen": seen, "inputs": inputs}
    figures = {"rows": rows, "seconds": seconds, "run_id": run_id}
    client.command(_RECORD, _parameters(period, as_of) | sources | figures)
    return MartBuild(mart.name, period, rows, seconds)


def mart_differences(client: Client, mart: Mart, period: Period) -> int:
    """The number of rows in which a stored partition and its recomputation differ, in either direction; reads only.

    Overdue reports are counted as of the time of the build.
    """
    parameters = _parameters(period, _stored_as_of(client, period) if mart.ages else now())
    where = "period = {period:String} AND period_start = {first:Date}" if len(mart.kinds) > 1 else "day = {first:Date}"
    query = _DIFFERING.replace("$table", mart.table).replace("$where", where).replace("$select", mart.build_sql)
    return int(client.query(query, parameters).result_rows[0][0])


def _stored_as_of(client: Client, period: Period) -> datetime:
    as_of, rows = client.query(_AS_OF, _parameters(period, now()), query_tz="Asia/Shanghai").result_rows[0]
    return as_of if rows else now()


def _parameters(period: Period, as_of: datetime) -> dict[str, Any]:
    moment = as_of.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    return {"period": period.kind, "first": period.first, "last": period.last, "as_of": moment}

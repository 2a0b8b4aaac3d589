"""One partition of a mart: built from the rollup and swapped in, or compared with what is stored."""

from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.clock import SHANGHAI, now
from pipelines.marts.catalog import Mart, Period
from pipelines.marts.swap import Superseded, Swap
from pipelines.services.queries import query_text

# Builds, ever, of the days that go into a partition: of the rollup, or of the mart it reads.
_BUILDS_BETWEEN = """
SELECT if({source:String} = '',
    (SELECT count() FROM rollup_builds WHERE day BETWEEN {from:Date} AND {last:Date}),
    (SELECT count() FROM mart_builds
     WHERE mart = {source:String} AND period_start BETWEEN {from:Date} AND {last:Date}))"""
_RECORD = """
INSERT INTO mart_builds (mart, period, period_start, seen, rows, seconds, run_id, as_of) VALUES
({mart:String}, {period:String}, {first:Date}, {seen:UInt64}, {rows:UInt32}, {seconds:Float32}, {run_id:String},
 {as_of:DateTime('Asia/Shanghai')})"""
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
    """A built partition of a mart; `rows` is 0 when it is empty, or a later build took over."""

    mart: str
    period: Period
    rows: int = 0
    seconds: float = 0.0
    superseded: bool = False


def build_mart(client: Client, mart: Mart, period: Period, run_id: str, as_of: datetime) -> MartBuild:
    """Recompute one partition from the rollup, or from the mart it reads, and swap it in."""
    started = monotonic()
    try:
        with Swap(client, mart.table, mart.partition(period)) as build:
            scope = {"source": mart.source, "from": mart.first_day(period), "last": period.last}
            seen = client.query(_BUILDS_BETWEEN, scope).result_rows[0][0]
            rows = build.fill(_select(mart), _parameters(period, as_of))
            build.commit()
    except Superseded:
        return MartBuild(mart.name, period, superseded=True)
    seconds = monotonic() - started
    figures = {"mart": mart.name, "seen": seen, "rows": rows, "seconds": seconds, "run_id": run_id}
    client.command(_RECORD, _parameters(period, as_of) | figures)
    return MartBuild(mart.name, period, rows, seconds)


def mart_differences(client: Client, mart: Mart, period: Period) -> int:
    """How many rows of a stored partition differ from its recomputation, either way; reads only.

    Overdue reports are counted as of the moment the partition was built.
    """
    parameters = _parameters(period, _stored_as_of(client, period) if mart.ages else now())
    where = "period = {period:String} AND period_start = {first:Date}" if len(mart.kinds) > 1 else "day = {first:Date}"
    query = _DIFFERING.replace("$table", mart.table).replace("$where", where).replace("$select", _select(mart))
    return int(client.query(query, parameters).result_rows[0][0])


def _stored_as_of(client: Client, period: Period) -> datetime:
    as_of, rows = client.query(_AS_OF, _parameters(period, now()), query_tz="Asia/Shanghai").result_rows[0]
    return as_of if rows else now()


def _select(mart: Mart) -> str:
    return query_text(f"marts/{mart.name}/build.sql")


def _parameters(period: Period, as_of: datetime) -> dict[str, Any]:
    moment = as_of.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    return {"period": period.kind, "first": period.first, "last": period.last, "as_of": moment}

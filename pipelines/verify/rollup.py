"""Check: the daily rollup equals its recomputation from `reports`, for every day whose build is current.

The counter of a day's changes can be visible a moment before the rows that it counts. A difference is therefore
counted as `days_unsettled`, not as wrong, on a day whose build began less than 30 s after the last change: such a day
is built again automatically.
"""

from datetime import date
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.verify.arrays import dicts
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged

_VERSION = 2  # of the definition that is recomputed here; days built by an older one are stale

_DAYS = f"""
WITH (SELECT sum(digest) FROM build_inputs WHERE name = 'rollup') AS now  -- time zones of cities
SELECT day, activity_seen = activity AND version = {_VERSION} AND inputs = now AS current,
       dateDiff('second', pushed_at, started_at) >= 30 AS settled
FROM (SELECT day, argMax(activity_seen, built_at) AS activity_seen, argMax(started_at, built_at) AS started_at,
             argMax(version, built_at) AS version, argMax(inputs, built_at) AS inputs
      FROM rollup_builds GROUP BY day) AS builds
LEFT JOIN (SELECT day, sum(rows) AS activity, max(last_push_at) AS pushed_at FROM day_activity GROUP BY day) AS activity
    USING day
ORDER BY day"""  # noqa: S608  (a constant, no input)

_UNBUILT = """
SELECT uniqExact(day) AS days FROM events WHERE day NOT IN (SELECT day FROM rollup_builds)"""

# The cells of both sides in one list; a cell is right when it is there twice, with equal figures.
_DIFFERENCES = """
SELECT grid_code, event_type, count() OVER () AS cells, sides, reported_stored, reported_now
FROM
(
    SELECT grid_code, event_type, count() AS sides, sumIf(reported, side = 1) AS reported_stored,
           sumIf(reported, side = 2) AS reported_now
    FROM
    (
        SELECT 1 AS side, city_code, county_code, town_code, grid_code, event_type, toUInt64(reported) AS reported,
               sipHash64(toString(tuple(
                   reported, handled, closed, on_time, reopened, rejected, satisfaction_sum, satisfaction_count,
                   by_model, by_fallback, arraySort(handling_minutes), arraySort(open_due_at),
                   arraySort(due)))) AS figures
        FROM rollup_daily WHERE day = {day:Date}
        UNION ALL
        SELECT 2 AS side, city_code, county_code, town_code, grid_code, event_type, count() AS reported,
               sipHash64(toString(tuple(
                   count(), sum(handled), sum(status = 'closed'), sum(on_time), sum(reopened), sum(status = 'rejected'),
                   sum(ifNull(satisfaction, 0)), count(satisfaction), sum(decided_by = 'model'),
                   sum(decided_by = 'fallback'),
                   arraySort(groupArrayIf(greatest(0, intDiv(
                       toUnixTimestamp64Milli(assumeNotNull(handled_at)) - toUnixTimestamp64Milli(reported_at), 60000)),
                       handled_at IS NOT NULL)),
                   arraySort(groupArrayIf(toDateTime(due_at, 'Asia/Shanghai'), NOT handled AND status != 'rejected')),
                   arraySort(groupArrayIf(
                       (toDate(parseDateTimeBestEffort(formatDateTime(due_at, '%F', zone))),
                        toDateTime(due_at, 'Asia/Shanghai'), on_time),
                       status != 'rejected'))
               ))) AS figures
        FROM reports
        LEFT JOIN (SELECT city_code, timezone AS zone FROM cities FINAL
                   UNION ALL
                   SELECT DISTINCT city_code, 'Asia/Shanghai' FROM reports
                   WHERE day = {day:Date} AND city_code NOT IN (SELECT city_code FROM cities FINAL)) AS known
            USING city_code
        WHERE day = {day:Date}
        GROUP BY city_code, county_code, town_code, grid_code, event_type
    )
    GROUP BY city_code, county_code, town_code, grid_code, event_type
    HAVING sides != 2 OR min(figures) != max(figures)
)
ORDER BY grid_code, event_type
LIMIT {shown:UInt8}"""

_TITLE = ("rollup", "日汇总等于重算", "the daily rollup equals its recomputation")


def check_rollup(client: Client) -> Check:
    """Recompute each current day from `reports`; stale days are only counted."""
    days = dicts(client, _DAYS, {})
    current = [day for day in days if day["current"]]
    figures = {
        "days_current": len(current),
        "days_stale": len(days) - len(current),
        "days_unbuilt": int(dicts(client, _UNBUILT, {})[0]["days"]),
        "days_unsettled": 0,
    }
    if not days:
        return Check(*_TITLE, figures, skipped=("还没有汇总", "no day has been rolled up yet"))
    findings: list[ProofFinding] = []
    for day in current:
        differences = dicts(client, _DIFFERENCES, {"day": day["day"], "shown": SHOWN})
        if differences and day["settled"]:
            findings += _findings(client, day["day"], differences)
        figures["days_unsettled"] += bool(differences and not day["settled"])
    return Check(*_TITLE, figures, merged(findings))


def _findings(client: Client, day: date, differences: list[dict[str, Any]]) -> list[ProofFinding]:
    """The differences of `day`, unless the stream wrote into it while it was read."""
    if day not in {row["day"] for row in dicts(client, _DAYS, {}) if row["current"]}:
        return []
    examples = tuple({"day": str(day), **row} for row in differences)
    return [
        ProofFinding(
            "fails", "汇总与重算不同", "cell differs from its recomputation", differences[0]["cells"], examples
        )
    ]

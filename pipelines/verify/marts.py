"""Check: the counts in the marts equal sums over their sources, for the builds that are current.

Recomputed are the counts: per area (reported in, and due in, the period), per series, in the windows of the rising
types, in the scorecards. Figures that follow from these counts within a row (rates, ranks, z, scores) are left to the
marts' own tests.
"""

from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from pipelines.verify.arrays import dicts
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged
from pipelines.verify.scorecard import RECOMPUTED, STORED, quiet

_LATEST = 40  # periods of each kind; older ones are final

# `seen`: the number of builds of a partition's sources when it was built, `inputs`: the digest of what else it
# read (the registry of areas). If there are more, or another one, it is stale.
_BUILDS = """
WITH (SELECT mapFromArrays(groupArray(name), groupArray(digest)) FROM build_inputs) AS now,
     if(mart = 'rising_types', period_start - 34, period_start) AS since,
     multiIf(period = 'month', toLastDayOfMonth(period_start), period = 'week', period_start + 6, period_start) AS until
SELECT mart, period, period_start, until,
       any(seen) = countIf(source.day BETWEEN since AND until) AND any(inputs) = now[toString(mart)] AS current
FROM
(
    SELECT mart, period, period_start, argMax(seen, built_at) AS seen, argMax(inputs, built_at) AS inputs
    FROM mart_builds
    GROUP BY ALL ORDER BY period_start DESC LIMIT {latest:UInt16} BY mart, period
) AS latest
LEFT JOIN
(
    SELECT 'rollup' AS kind, day FROM rollup_builds
    UNION ALL
    -- The rankings, alone in reading the scorecards, also read the days whose reports are due in the period.
    SELECT 'scorecard' AS kind, arrayJoin(due_days) AS day FROM rollup_builds
    UNION ALL
    SELECT mart AS kind, period_start AS day FROM mart_builds WHERE mart IN ('daily_series', 'scorecard')
) AS source
    ON source.kind = transform(latest.mart, ['rising_types', 'area_ranking'], ['daily_series', 'scorecard'], 'rollup')
GROUP BY mart, period, period_start, until
ORDER BY mart, period, period_start"""


class _Sums(NamedTuple):
    """Two queries that return `key` and `figures`: what `mart` stores of a period, and the same from its sources."""

    mart: str
    stored: str
    recomputed: str
    complete: bool  # whether every area with reports must be listed


_COUNTS = "[toInt64(reported), toInt64(handled), toInt64(on_time), toInt64(reopened), toInt64(rejected)] AS figures"

# By city: how many days are recent (`short`), and with how many days before them they are compared (`long`).
_WINDOWS = """
SELECT city_code, 1 + {first:Date} - min(day) AS known,
       multiIf(known >= 14, 7, known >= 6, 3, known >= 4, 2, 1) AS short,
       multiIf(known >= 35, 28, known >= 14, known - 7 - known % 7, known - short) AS long
FROM
(
    SELECT city_code, arraySort(groupArray((n, date))) AS days, arrayCumSum(days.1) AS up_to,
           arrayFirst((size, so_far) -> 2 * so_far >= up_to[-1], days.1, up_to) AS usual,
           arrayJoin(days) AS counted, counted.2 AS day
    FROM
    (
        SELECT city_code, rollup_daily.day AS date, sum(reported) AS n
        FROM rollup_daily WHERE date BETWEEN {first:Date} - 34 AND {first:Date} GROUP BY city_code, date
    )
    GROUP BY city_code
)
WHERE counted.1 >= usual / 10
GROUP BY city_code"""

_SUMS = (
    _Sums("scorecard", STORED, RECOMPUTED, complete=True),
    _Sums(
        "area_ranking",
        """SELECT (city_code, level, area_code) AS key, $counts FROM mart_area_ranking
           WHERE period = {period:String} AND period_start = {first:Date}""",
        """SELECT (city_code, area.1, area.2) AS key, $counts FROM rollup_daily
           ARRAY JOIN [('county', county_code), ('town', town_code), ('grid', grid_code)] AS area
           WHERE day BETWEEN {first:Date} AND {last:Date}""",
        complete=True,
    ),
    _Sums(
        "area_ranking",
        """SELECT (city_code, level, area_code) AS key, [toInt64(due), toInt64(closed_by_limit)] AS figures
           FROM mart_area_ranking WHERE period = {period:String} AND period_start = {first:Date}""",
        """SELECT (city_code, area.1, area.2) AS key, [toInt64(1), toInt64(limit.met)] AS figures
           FROM rollup_daily
           ARRAY JOIN due AS limit
           ARRAY JOIN [('county', county_code), ('town', town_code), ('grid', grid_code)] AS area
           WHERE rollup_daily.day <= {last:Date} AND limit.day >= {first:Date} AND limit.day <= {last:Date}
             AND limit.at < (SELECT max(as_of) FROM mart_area_ranking
                             WHERE period = {period:String} AND period_start = {first:Date})
             AND city_code IN (SELECT city_code FROM rollup_daily WHERE day BETWEEN {first:Date} AND {last:Date})""",
        complete=True,
    ),
    _Sums(
        "daily_series",
        """SELECT (city_code, county_code, toString(event_type)) AS key, $counts FROM mart_daily_series
           WHERE day = {first:Date}""",
        """SELECT (city_code, county_code, toString(event_type)) AS key, $counts FROM rollup_daily
           WHERE day = {first:Date}""",
        complete=True,
    ),
    _Sums(
        "rising_types",
        """SELECT (level, area_code, concat(event_type, ', ', recent_days, ' days after ', base_days)) AS key,
                  [toInt64(recent), toInt64(previous), toInt64(base)] AS figures
           FROM mart_rising_types WHERE day = {first:Date}""",
        """SELECT (area.1, area.2, concat(event_type, ', ', short, ' days after ', long)) AS key,
                  arrayMap(ends -> if(age >= ends.1 AND age < ends.2, toInt64(reported), 0),
                           [(0, short), (short, 2 * short), (short, short + long)]) AS figures
           FROM
           (
               SELECT *, {first:Date} - day AS age FROM rollup_daily
               WHERE day BETWEEN {first:Date} - 34 AND {first:Date}
           ) AS cells
           INNER JOIN ($windows) AS windows ON windows.city_code = cells.city_code
           ARRAY JOIN [('city', cells.city_code), ('county', county_code)] AS area""",
        complete=False,
    ),
)

# Stored figures are added and recomputed ones subtracted: a sum other than 0 is a difference.
_DIFFERENCES = """
SELECT concat(key.1, ' ', key.2, ' ', key.3) AS area, count() OVER () AS differing,
       sumForEachIf(figures, stored) AS in_mart, arrayMap(x -> -x, sumForEachIf(figures, NOT stored)) AS in_rollup
FROM
(
    SELECT key, figures, true AS stored FROM ($stored)
    UNION ALL
    SELECT key, arrayMap(x -> -x, figures) AS figures, false AS stored FROM ($recomputed)
)
GROUP BY key
HAVING arrayExists(x -> x != 0, sumForEach(figures)) AND ({complete:Bool} OR countIf(stored) > 0)
ORDER BY key
LIMIT {shown:UInt8}"""

_TITLE = ("marts", "集市等于重算", "the marts equal their recomputation")


def check_marts(client: Client) -> Check:
    """Compare the newest current builds of each mart and kind of period with their sources."""
    builds = dicts(client, _BUILDS, {"latest": _LATEST})
    marts = {sums.mart for sums in _SUMS}
    current = [build for build in builds if build["current"] and build["mart"] in marts]
    figures = {"builds_current": len(current), "builds_stale": sum(not build["current"] for build in builds)}
    if not builds:
        return Check(*_TITLE, figures, skipped=("还没有集市", "no mart has been built yet"))
    return Check(*_TITLE, figures, merged(finding for build in current for finding in _differences(client, build)))


def _differences(client: Client, build: dict[str, Any]) -> list[ProofFinding]:
    of_mart = [sums for sums in _SUMS if sums.mart == build["mart"]]
    return [finding for sums in of_mart for finding in _differences_of(client, build, sums)]


def _differences_of(client: Client, build: dict[str, Any], sums: _Sums) -> list[ProofFinding]:
    scope = {"period": build["period"], "first": build["period_start"], "last": build["until"]}
    query = _DIFFERENCES
    parts = {"$stored": sums.stored, "$recomputed": sums.recomputed, "$windows": _WINDOWS, "$counts": _COUNTS}
    for placeholder, part in parts.items():
        query = query.replace(placeholder, part)
    rows = dicts(client, query, {**scope, "complete": sums.complete, "shown": SHOWN})
    if not rows or build not in dicts(client, _BUILDS, {"latest": _LATEST}):  # or rebuilt while it was read
        return []
    if build["mart"] == "scorecard" and not quiet(client, scope):  # it reads messages, not the rollup
        return []
    where = {"mart": build["mart"], "period": build["period"], "period_start": str(build["period_start"])}
    shown = ("area", "in_mart", "in_rollup")
    examples = tuple({**where, **{name: row[name] for name in shown}} for row in rows)
    return [
        ProofFinding("fails", "集市与重算不同", "mart differs from its recomputation", rows[0]["differing"], examples)
    ]

"""The counts of a day's scorecards: as stored, and recomputed from events, reports and quarantine.

The recomputation uses other methods than the mart: texts are compared by their letters and digits, repetitions are
found in sorted groups, a source that catches up is detected by its average, areas of rejected messages come from joins.
"""

from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.verify.arrays import dicts

# In the order of the figures of both queries.
_COUNTS = (
    "messages", "quarantined", "warned", "suspected", "backfilled", "prompt", "reports", "located", "coded", "handled",
    "handler_named", "repeated", "undated",
)  # fmt: skip

STORED = f"""
SELECT (city_code, level, area_code) AS key, [{", ".join(f"toInt64({name})" for name in _COUNTS)}] AS figures
FROM mart_scorecard WHERE day = {{first:Date}}"""  # noqa: S608  (a constant, no input)

_ACCEPTED = """
SELECT toString(city_code) AS city, toString(county_code) AS county, toString(town_code) AS town,
       toString(source) AS channel,
       CAST([count(), 0, sum(length(warnings) > 0), sum(suspect > 0.5),
        sum(behind AND late > 86400 OR early AND late > 900),
        sum(late <= 900), 0, 0, 0, 0, 0, 0, 0], 'Array(Int64)') AS figures
FROM
(
    SELECT *, toInt64(toUnixTimestamp(kafka_time)) - toInt64(toUnixTimestamp(updated_at)) AS late,
           updated_at < (SELECT min(first_kafka_time) FROM ledger) AS early,
           (city_code, source) IN (
               SELECT city_code, source FROM events FINAL WHERE day = {first:Date} GROUP BY city_code, source
               HAVING avg(toInt64(toUnixTimestamp(kafka_time)) - toInt64(toUnixTimestamp(updated_at)) > 86400) > 0.5
           ) AS behind
    FROM events FINAL WHERE day = {first:Date}
)
GROUP BY city, county, town, channel"""

_REFUSED = """
SELECT if(c.city_code = '', d.city_code, c.city_code) AS city, toString(c.county_code) AS county,
       toString(t.town_code) AS town,
       if(origin IN (SELECT source FROM sources FINAL), origin, '') AS channel,
       CAST([0, countIf(NOT undated), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, countIf(undated)], 'Array(Int64)') AS figures
FROM
(
    SELECT DISTINCT
        ifNull(nullIf(toString(payload_sha256), repeat('0', 64)), concat(toString(payload_bytes), payload)) AS content,
        toString(source) AS origin, ifNull(nullIf(grid_code, ''), message_key) AS place, undated
    FROM quarantine WHERE reported_day = {first:Date}
) AS q
LEFT JOIN (SELECT * FROM counties FINAL) AS c ON c.county_code = substring(place, 1, 6)
LEFT JOIN (SELECT * FROM cities FINAL) AS d ON d.city_code = concat(substring(place, 1, 4), '00')
LEFT JOIN (SELECT * FROM towns FINAL) AS t ON t.town_code = substring(place, 1, 9)
WHERE city != ''
GROUP BY city, county, town, channel"""

_REPORTS = """
SELECT city_code, county_code, town_code, source,
       CAST([0, 0, 0, 0, 0, 0, count(), count(lon), sum(decided_by = 'person' OR decided_by = 'crosswalk'),
        sum(handled), sum(handled AND notEmpty(handler)), 0, 0], 'Array(Int64)') AS figures
FROM reports WHERE day = {first:Date}
GROUP BY city_code, county_code, town_code, source"""

_REPEATED = """
SELECT city_code, county_code, town_code, again.3 AS source,
       CAST([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, count(), 0], 'Array(Int64)') AS figures
FROM
(
    SELECT city_code, county_code, town_code,
           arrayPopFront(arraySort(groupArray((reported_at, report_id, toString(source))))) AS later
    FROM reports WHERE day = {first:Date}
    GROUP BY city_code, county_code, town_code, grid_code, extractAll(lowerUTF8(text), '[\\\\pL\\\\pN]')
)
ARRAY JOIN later AS again
GROUP BY city_code, county_code, town_code, source"""

# Counties and towns have no undated messages: the last figure.
RECOMPUTED = f"""
SELECT (city, area.1, area.2) AS key,
       sumForEach(if(area.1 IN ('city', 'source'), figures, arrayPushBack(arrayPopBack(figures), 0))) AS figures
FROM ({_ACCEPTED} UNION ALL {_REFUSED} UNION ALL {_REPORTS} UNION ALL {_REPEATED})
ARRAY JOIN [('city', city), ('source', channel), ('county', county), ('town', town)] AS area
WHERE area.2 != ''
GROUP BY key"""  # noqa: S608  (constants, no input)

_QUIET = """
SELECT rows = seen AND dateDiff('second', pushed, started) >= 30 AS quiet
FROM (SELECT sum(rows) AS rows, max(last_push_at) AS pushed FROM day_activity WHERE day = {first:Date}) AS activity
CROSS JOIN (SELECT argMax(activity_seen, built_at) AS seen, argMax(started_at, built_at) AS started
            FROM rollup_builds WHERE day = {first:Date}) AS builds"""


def quiet(client: Client, scope: dict[str, Any]) -> bool:
    """Whether nothing was loaded into the day since its last build began; only then is a scorecard compared."""
    return bool(dicts(client, _QUIET, scope)[0]["quiet"])

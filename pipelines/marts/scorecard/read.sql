-- The scorecards of the areas or sources of a city on a day, or on the latest day that has any (day 1970-01-01).
SELECT
    area_code, area_zh, area_en, day, score, messages, quarantined, warned, suspected, backfilled, lag_p50_seconds,
    lag_p95_seconds, reports, completeness, validity, timeliness, duplicate_share, suspect_share
FROM $view
WHERE city_code = {city:String} AND level = {level:String}
  AND day = if({day:Date} != toDate(0), {day:Date}, (SELECT max(day) FROM $view WHERE city_code = {city:String}))
  AND ({parent:String} = '' OR startsWith(area_code, {parent:String}))
ORDER BY score NULLS LAST, area_code
LIMIT {limit:UInt32}

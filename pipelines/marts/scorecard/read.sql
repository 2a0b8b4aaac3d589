-- The scorecards of the areas or sources of a city on a day. Without a day (1970-01-01): the newest day before `today` that
-- has any of this level, or today if there is no other. Sources with undated messages and without a score come first, then
-- the lowest score.
WITH newest AS
(
    SELECT if(countIf(day < {today:Date}) > 0, maxIf(day, day < {today:Date}), max(day)) FROM $view
    WHERE city_code = {city:String} AND level = {level:String}
)
SELECT
    area_code, area_zh, area_en, day, score, messages, quarantined, undated, warned, suspected, backfilled, lag_p50_seconds,
    lag_p95_seconds, reports, completeness, validity, timeliness, duplicate_share, suspect_share,
    day >= {today:Date} AS running
FROM $view
WHERE city_code = {city:String} AND level = {level:String}
  AND day = if({day:Date} != toDate(0), {day:Date}, (SELECT * FROM newest))
  AND ({parent:String} = '' OR startsWith(area_code, {parent:String}))
ORDER BY isNull(score) AND ifNull(undated, 0) > 0 DESC, score NULLS LAST, area_code
LIMIT {limit:UInt32}

-- The ranking of a city in the period that contains `day`. Without a day (1970-01-01): the newest period that is over on
-- `today`, or the running one if there is no other.
WITH latest AS
(
    SELECT if(countIf(period_end < {today:Date}) > 0, maxIf(period_start, period_end < {today:Date}), max(period_start))
    FROM $view
    WHERE city_code = {city:String} AND period = {period:String}
      AND ({day:Date} = toDate(0) OR {day:Date} BETWEEN period_start AND period_end)
)
SELECT
    multiIf({by:String} = 'on_time', rank_by_on_time, {by:String} = 'per_1000', rank_by_per_1000, rank_by_count) AS rank,
    area_code, area_zh, area_en, parent_code, parent_zh, parent_en, period_start, period_end, reported, handled,
    due, closed_by_limit, on_time_rate, reopened, rejected, overdue_open, satisfaction_avg,
    median_handling_hours, per_1000_households, quality_score, as_of,
    toInt32(greatest(0, least({today:Date} - period_start, period_end - period_start + 1))) AS days_complete
FROM $view
WHERE city_code = {city:String} AND period = {period:String} AND level = {level:String}
  AND period_start = (SELECT * FROM latest)
  AND ({parent:String} = '' OR parent_code = {parent:String})
ORDER BY rank NULLS LAST, area_code
LIMIT {limit:UInt32}

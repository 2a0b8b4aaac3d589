-- The day of each county by event type.
--
-- The reports behind a row: drill.sql.
SELECT
    city_code, day, county_code, event_type,
    sum(d.reported) AS reported, sum(d.handled) AS handled, sum(d.on_time) AS on_time,
    sum(d.reopened) AS reopened, sum(d.rejected) AS rejected
FROM rollup_daily AS d
WHERE day = {first:Date}
GROUP BY city_code, day, county_code, event_type

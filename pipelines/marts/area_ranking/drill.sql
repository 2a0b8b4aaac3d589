-- The reports behind a row of area_ranking at any level, each with what it adds to the figures.
SELECT
    report_id, day, grid_code, event_type, status, reported_at, due_at, handled_at,
    r.handled AS handled, r.on_time AS on_time, r.reopened AS reopened, status = 'rejected' AS rejected,
    NOT r.handled AND NOT rejected AND due_at < {as_of:DateTime('Asia/Shanghai')} AS overdue_open, satisfaction
FROM reports AS r
WHERE day BETWEEN {first:Date} AND {last:Date}
  AND city_code = {city:String} AND {area:String} IN (county_code, town_code, grid_code)
ORDER BY reported_at, report_id

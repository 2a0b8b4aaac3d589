-- The reports behind a row of area_ranking at any level, each with what it adds to the figures: those reported in the
-- period, and those whose limit fell into it.
SELECT
    day BETWEEN {first:Date} AND {last:Date} AS in_period, report_id, day, grid_code, event_type, status, reported_at, due_at, handled_at,
    in_period AND r.handled AS handled, in_period AND r.on_time AS on_time, in_period AND r.reopened AS reopened,
    in_period AND status = 'rejected' AS rejected,
    in_period AND NOT r.handled AND status != 'rejected' AND due_at < {as_of:DateTime('Asia/Shanghai')} AS overdue_open,
    status != 'rejected' AND due_day BETWEEN {first:Date} AND {last:Date} AND due_at < {as_of:DateTime('Asia/Shanghai')} AS due,
    due AND r.on_time AS closed_by_limit, satisfaction
FROM reports AS r
WHERE day IN (SELECT b.day FROM rollup_builds AS b
              WHERE b.day BETWEEN {first:Date} AND {last:Date}
                 OR arrayExists(due_day -> due_day BETWEEN {first:Date} AND {last:Date}, b.due_days))
  AND (in_period OR due)
  AND city_code = {city:String} AND {area:String} IN (county_code, town_code, grid_code)
ORDER BY reported_at, report_id

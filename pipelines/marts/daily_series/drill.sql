-- The reports behind a row of daily_series.
SELECT
    report_id, day, grid_code, event_type, status, reported_at, due_at, handled_at, handled, on_time, reopened,
    status = 'rejected' AS rejected
FROM reports
WHERE day = {day:Date} AND county_code = {area:String} AND event_type = {event_type:UInt16}
ORDER BY reported_at, report_id

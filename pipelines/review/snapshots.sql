-- The newest message of each report with one of these ids, of whatever source, with the fields of contract v1.
SELECT e.report_id AS report_id, toString(e.event_id) AS event_id, e.status AS status, e.reported_at AS reported_at,
    e.updated_at AS updated_at, e.due_at AS due_at, e.grid_code AS grid_code, e.source AS source,
    e.source_type AS source_type, e.event_type AS event_type, e.decided_by AS decided_by, e.text AS text,
    e.lon AS lon, e.lat AS lat, e.severity AS severity, e.satisfaction AS satisfaction, e.handler AS handler,
    e.extra AS extra
FROM events AS e FINAL
WHERE (e.day, e.event_id, e.source, e.report_id) IN
    (SELECT day, event_id, source, report_id FROM report_states FINAL WHERE report_id IN {reports:Array(String)})
ORDER BY updated_at DESC
LIMIT 1 BY source, report_id

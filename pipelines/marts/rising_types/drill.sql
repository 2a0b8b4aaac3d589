-- The reports behind a row of rising_types: `part` says whether a report counts for recent or for base.
SELECT
    report_id, day, grid_code, event_type, status, reported_at, text,
    if(day > {day:Date} - {recent_days:UInt8}, 'recent', 'base') AS part
FROM reports
WHERE day > {day:Date} - {recent_days:UInt8} - {base_days:UInt8} AND day <= {day:Date}
  AND event_type = {event_type:UInt16} AND {area:String} IN (city_code, county_code)
ORDER BY reported_at, report_id

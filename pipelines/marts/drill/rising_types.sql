-- The reports behind a row of rising_types: `part` says whether they count for last_7 or for base.
SELECT
    report_id, day, grid_code, event_type, status, reported_at, text,
    if(day > {day:Date} - 7, 'last_7', 'base') AS part
FROM reports
WHERE day BETWEEN {day:Date} - 6 - {base_days:UInt8} AND {day:Date}
  AND event_type = {event_type:UInt16} AND {area:String} IN (city_code, county_code)
ORDER BY reported_at, report_id
SETTINGS do_not_merge_across_partitions_select_final = 1

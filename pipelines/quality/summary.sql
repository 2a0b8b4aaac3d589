-- Reports of a city: who decided their types, how many have no sure type, and how many look perfunctory or false.
SELECT
    count()                                AS reports,
    countIf(decided_by = 'person')         AS by_person,
    countIf(decided_by = 'crosswalk')      AS by_crosswalk,
    countIf(decided_by = 'model')          AS by_model,
    countIf(decided_by = 'fallback')       AS undecided,
    countIf(event_type = 999)              AS other,
    countIf(handled)                       AS handled,
    countIf(on_time)                       AS on_time,
    countIf(reopened)                      AS reopened,
    (
        SELECT uniqExact(source, report_id) FROM events WHERE city_code = {city:String} AND suspect >= 0.5
    )                                      AS suspected
FROM reports
WHERE city_code = {city:String}

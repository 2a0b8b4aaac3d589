-- Who decided the types of a city's reports, and how many found none.
SELECT
    count()                                AS reports,
    countIf(decided_by = 'person')         AS by_person,
    countIf(decided_by = 'crosswalk')      AS by_crosswalk,
    countIf(decided_by = 'model')          AS by_model,
    countIf(decided_by = 'fallback')       AS undecided,
    countIf(event_type = 999)              AS other,
    countIf(handled)                       AS handled,
    countIf(on_time)                       AS on_time,
    countIf(reopened)                      AS reopened
FROM reports
WHERE city_code = {city:String}

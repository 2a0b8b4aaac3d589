-- A day of `reports` by grid and type: the rows of `rollup_daily`.
--
-- The reports behind a cell:
--   SELECT * FROM reports WHERE day = '2026-11-01' AND grid_code = '330203001001' AND event_type = 201
-- For the reports behind a figure, add a condition: handled / on_time / reopened / status = 'closed' / ...
SELECT
    r.day AS day, r.city_code AS city_code, r.county_code AS county_code, r.town_code AS town_code,
    r.grid_code AS grid_code, r.event_type AS event_type,
    toUInt32(count()) AS reported,
    toUInt32(countIf(r.handled)) AS handled,
    toUInt32(countIf(r.status = 'closed')) AS closed,
    toUInt32(countIf(r.on_time)) AS on_time,
    toUInt32(countIf(r.reopened)) AS reopened,
    toUInt32(countIf(r.status = 'rejected')) AS rejected,
    toUInt32(sum(ifNull(r.satisfaction, 0))) AS satisfaction_sum,
    toUInt32(count(r.satisfaction)) AS satisfaction_count,
    toUInt32(countIf(r.decided_by = 'model')) AS by_model,
    toUInt32(countIf(r.decided_by = 'fallback')) AS by_fallback,
    arraySort(groupArrayIf(toUInt32(greatest(0, age('minute', r.reported_at, ifNull(r.handled_at, r.reported_at)))),
                           isNotNull(r.handled_at))) AS handling_minutes,
    arraySort(groupArrayIf(toDateTime64(r.due_at, 0, 'Asia/Shanghai'), NOT r.handled AND r.status != 'rejected')) AS open_due_at,
    arraySort(groupArrayIf((r.due_day, toDateTime64(r.due_at, 0, 'Asia/Shanghai'), toUInt8(r.on_time)), r.status != 'rejected'))::Array(Tuple(day Date, at DateTime64(0, 'Asia/Shanghai'), met UInt8)) AS due
FROM reports AS r
WHERE r.day = {day:Date}
GROUP BY ALL

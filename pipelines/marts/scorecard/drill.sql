-- The messages behind a row of scorecard, accepted or not, each with what it adds to the figures. `area` is the code of a
-- city, county or town, or the name of a source. A rejected message that names no day is `undated`: it is behind the rows of
-- its source and city on the day of its arrival, and in no score. Equal rejected messages are counted once; where
-- the keyed hash of a message was removed by a migration (zeros), a hash of the masked payload replaces it.
SELECT * FROM
(
    SELECT
        'accepted' AS part, report_id, toNullable(event_id) AS event_id, source, grid_code, kafka_time AS arrived_at,
        greatest(0, dateDiff('second', updated_at, kafka_time)) AS lag_seconds, CAST(warnings, 'Array(String)') AS rules,
        notEmpty(warnings) AS warned, suspect > 0.5 AS suspected, '' AS payload_sha256
    FROM events FINAL
    WHERE day = {day:Date} AND city_code = {city:String} AND {area:String} IN (city_code, source, county_code, town_code)
    UNION ALL
    SELECT
        if(undated, 'undated', 'quarantined'), report_id, event_id, source, if(grid_code != '', grid_code, message_key) AS grid, kafka_time,
        0, rules, false, false,
        if(payload_sha256 = repeat('0', 64), hex(sipHash128(payload, payload_bytes)), payload_sha256)
    FROM quarantine
    WHERE reported_day = {day:Date} AND left(grid, 4) = left({city:String}, 4)
      AND ({area:String} IN ({city:String}, source) OR NOT undated AND {area:String} IN (left(grid, 6), left(grid, 9)))
)
ORDER BY part, arrived_at, report_id

-- What row rules are checked on: every stored message with the columns that the rules need beside its own.

-- One row a row of `events`, resends included. The derived columns mean what schemas/expectations/events.yaml says, and
-- are derived alike in pipelines/quality/columns.py for the stream; a test compares both.
CREATE VIEW IF NOT EXISTS quality_events AS
SELECT
    e.*,
    toUInt8(g.valid_from IS NOT NULL) AS grid_known,
    if(g.valid_from IS NULL, NULL,
       greatest(toInt32(g.valid_from) - toInt32(e.day), toInt32(e.day) - toInt32(g.valid_to), 0)) AS grid_days_off,
    toYear(e.reported_at, 'UTC') AS reported_year,
    toUInt8(e.event_type IN (SELECT event_type FROM event_types FINAL)) AS event_type_known,
    dateDiff('millisecond', e.loaded_at, e.updated_at) / 1000 AS seconds_ahead,
    dateDiff('millisecond', e.reported_at, e.due_at) / 86400000 AS limit_days,
    toUInt32(lengthUTF8(e.text)) AS text_characters,
    toUInt8(match(e.text, '\\pL')) AS has_letter,
    dateDiff('millisecond', e.reported_at, e.kafka_time) / 86400000 AS days_on_the_way
FROM events AS e
LEFT JOIN
(
    SELECT grid_code, toNullable(valid_from) AS valid_from, ifNull(valid_to, toDate('2149-06-06')) AS valid_to
    FROM grids FINAL
) AS g ON e.grid_code = g.grid_code;

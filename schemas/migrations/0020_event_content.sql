-- Two different messages may carry one event_id: a resend repeats the message, anything else is another message and must
-- not replace the first one. `content` keeps them apart: rows merge only where event_id and content are equal.
--
-- A column that is added together with the sorting key needs no rewriting of parts: rows of before this migration have
-- the content 0, so a message sent again across the upgrade is stored once more and counts in no report twice.
ALTER TABLE events ADD COLUMN IF NOT EXISTS
    content UInt64
        COMMENT 'keyed hash of the message: 16 bits of the key''s id, then 48 of the hash; 0 in rows loaded before it was stored'
        AFTER extra,
    MODIFY ORDER BY (city_code, event_id, content);

-- A view keeps the columns that `*` stood for when it was created: these two learn the new one.
CREATE OR REPLACE VIEW quality_events AS
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

CREATE OR REPLACE VIEW quality_samples
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT * EXCEPT (text, extra, reporter_hash) FROM quality_events;

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

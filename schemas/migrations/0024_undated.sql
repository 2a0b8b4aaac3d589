-- A rejected message that names no day is about no day that is known. It counts in no score; the cards of its source and
-- its city show how many arrived on a day.

-- A date is one that begins as in ISO 8601: of 03/01/2026 or 5, ClickHouse guesses a day. The day of reported_day is that of
-- the arrival if a message is undated, so that the card of that day is built again.
ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS undated Bool MATERIALIZED
    ifNull(NOT match(JSONExtractString(payload, 'reported_at'), '^[0-9]{4}-[0-9]{2}-[0-9]{2}')
           OR toDate(parseDateTime64BestEffortOrNull(JSONExtractString(payload, 'reported_at'), 3, 'Asia/Shanghai'))
              NOT BETWEEN toDate('2000-01-01') AND toDate(kafka_time), true)
    COMMENT '1 if its reported_at cannot be read, or cannot be right (before 2000 or after the arrival)';
ALTER TABLE quarantine MODIFY COLUMN IF EXISTS reported_day Date MATERIALIZED
    if(undated, toDate(kafka_time),
       toDate(parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'reported_at'), 3, 'Asia/Shanghai')))
    COMMENT 'day of its reported_at; of its arrival if undated';
ALTER TABLE quarantine MATERIALIZE COLUMN undated SETTINGS mutations_sync = 2;
ALTER TABLE quarantine MATERIALIZE COLUMN reported_day SETTINGS mutations_sync = 2;
-- Also for days of arrival on which nothing else happened.
INSERT INTO day_activity SELECT DISTINCT reported_day, toUInt64(1) AS rows, now64(3, 'Asia/Shanghai') AS last_push_at FROM quarantine;

ALTER TABLE mart_scorecard ADD COLUMN IF NOT EXISTS
    undated UInt64 COMMENT 'rejected messages that arrived on the day and name no day; equal ones once; only of cities and sources; no part of the score'
    AFTER quarantined;
ALTER TABLE mart_scorecard COMMENT COLUMN IF EXISTS quarantined 'rejected, as far as they name the day and a place; equal ones once';
ALTER TABLE mart_scorecard MODIFY COLUMN IF EXISTS
    score Nullable(Float64) COMMENT '0 to 100, one decimal; null if nothing but undated messages is known';

CREATE OR REPLACE VIEW scorecard AS
SELECT
    s.city_code AS city_code, s.day AS day, s.level AS level, s.area_code AS area_code,
    if(s.level = 'source', o.source_zh, a.area_zh) AS area_zh, if(s.level = 'source', o.source_en, a.area_en) AS area_en,
    s.messages AS messages, s.quarantined AS quarantined, s.undated AS undated, s.warned AS warned,
    s.suspected AS suspected, s.backfilled AS backfilled, s.prompt AS prompt, s.lag_p50_seconds AS lag_p50_seconds,
    s.lag_p95_seconds AS lag_p95_seconds, s.reports AS reports, s.located AS located, s.coded AS coded,
    s.handled AS handled, s.handler_named AS handler_named, s.repeated AS repeated, s.completeness AS completeness,
    s.validity AS validity, s.timeliness AS timeliness, s.duplicate_share AS duplicate_share,
    s.suspect_share AS suspect_share, s.score AS score
FROM mart_scorecard AS s
LEFT JOIN (SELECT level, area_code, area_zh, area_en FROM areas WHERE level != 'grid') AS a
    ON a.level = s.level AND a.area_code = s.area_code
LEFT JOIN (SELECT source, source_zh, source_en FROM sources FINAL) AS o ON o.source = s.area_code;

ALTER TABLE scorecard COMMENT COLUMN IF EXISTS quarantined 'rejected messages that name the day and a place; equal ones once';
ALTER TABLE scorecard COMMENT COLUMN IF EXISTS undated 'rejected messages that arrived on the day and name no day; equal ones once; only of cities and sources; no part of the score';
ALTER TABLE scorecard COMMENT COLUMN IF EXISTS score '0 to 100; null if nothing but undated messages is known';

-- As before; of undated messages the count alone is shown.
CREATE OR REPLACE VIEW published_scorecard
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    s.city_code AS city_code, s.day AS day, s.level AS level, s.area_code AS area_code, s.area_zh AS area_zh,
    s.area_en AS area_en, s.messages + s.quarantined < 5 AS suppressed,
    if(s.messages < 5, NULL, s.messages) AS messages,
    if(s.quarantined < 5, NULL, s.quarantined) AS quarantined,
    if(s.undated < 5, NULL, s.undated) AS undated,
    if(s.warned < 5, NULL, s.warned) AS warned,
    if(s.suspected < 5, NULL, s.suspected) AS suspected,
    if(s.backfilled < 5, NULL, s.backfilled) AS backfilled,
    if(s.messages - s.backfilled < 5, NULL, s.lag_p50_seconds) AS lag_p50_seconds,
    if(s.messages - s.backfilled < 5, NULL, s.lag_p95_seconds) AS lag_p95_seconds,
    if(s.reports < 5, NULL, s.reports) AS reports,
    if(s.reports < 5, NULL, round(s.completeness, 2)) AS completeness,
    if(suppressed, NULL, round(s.validity, 2)) AS validity,
    if(s.messages - s.backfilled < 5, NULL, round(s.timeliness, 2)) AS timeliness,
    if(s.reports < 5, NULL, round(s.duplicate_share, 2)) AS duplicate_share,
    if(s.messages < 5, NULL, round(s.suspect_share, 2)) AS suspect_share,
    if(suppressed, NULL, s.score) AS score
FROM scorecard AS s;

ALTER TABLE published_scorecard COMMENT COLUMN IF EXISTS quarantined 'rejected messages that name the day and a place; equal ones once; null below 5';
ALTER TABLE published_scorecard COMMENT COLUMN IF EXISTS undated 'rejected messages that arrived on the day and name no day; equal ones once; only of cities and sources; no part of the score; null below 5';
ALTER TABLE published_scorecard COMMENT COLUMN IF EXISTS score '0 to 100; null if fewer than 5 messages are behind it';

-- Without payload and key, by the day they were refused on. `*` has no materialized columns.
CREATE OR REPLACE VIEW quality_quarantine
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT toDate(q.quarantined_at) AS day, * EXCEPT (payload, message_key)
FROM (SELECT *, undated FROM quarantine FINAL) AS q;

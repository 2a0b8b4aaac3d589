-- A report is identified by its source and its report_id: an id is unique within its source only. And of two messages with
-- the same updated_at, the later step of the life cycle is the newer one, then the later offset, then the larger event_id.
--
-- Both tables are filled from `events` under another name and take the old names in one step, so that readers always see
-- a whole table. Every statement may run again, after a crash at any point: what is filled twice merges.

CREATE OR REPLACE TABLE report_states_swap
(
    day              Date,
    city_code        LowCardinality(String),
    county_code      LowCardinality(String),
    town_code        LowCardinality(String),
    grid_code        LowCardinality(String),
    report_id        String,
    event_id         UUID,
    status           LowCardinality(String),
    reported_at      DateTime64(3, 'Asia/Shanghai'),
    updated_at       DateTime64(3, 'Asia/Shanghai'),
    due_at           DateTime64(3, 'Asia/Shanghai'),
    source           LowCardinality(String),
    event_type       UInt16,
    decided_by       LowCardinality(String),
    confidence       Float32,
    model_version    LowCardinality(String),
    text             String CODEC(ZSTD),
    lon              Nullable(Float64),
    lat              Nullable(Float64),
    severity         UInt8,
    satisfaction     Nullable(UInt8),
    handler          LowCardinality(String),
    version          UInt256
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY day
ORDER BY (report_id, source)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE OR REPLACE TABLE report_handling_swap
(
    day              Date,
    source           LowCardinality(String),
    report_id        String,
    first_handled_at SimpleAggregateFunction(min, DateTime64(3, 'Asia/Shanghai')) COMMENT 'first message resolved or closed; 2299-12-31 when there is none',
    reopened         SimpleAggregateFunction(max, UInt8)
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (report_id, source)
SETTINGS non_replicated_deduplication_window = 10000;

INSERT INTO report_states_swap
SELECT
    day, city_code, county_code, town_code, grid_code, report_id, event_id, status, reported_at, updated_at,
    due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat, severity, satisfaction, handler,
    bitShiftLeft(toUInt256(toUnixTimestamp64Milli(updated_at)), 200)
        + bitShiftLeft(toUInt256(indexOf(['reported', 'accepted', 'dispatched', 'resolved', 'closed', 'reopened', 'rejected'],
                                         toString(status))), 192)
        + bitShiftLeft(toUInt256(kafka_offset), 128) + toUInt256(toUInt128(event_id)) AS version
FROM events
SETTINGS max_partitions_per_insert_block = 0;

INSERT INTO report_handling_swap
SELECT
    day, source, report_id,
    if(status IN ('resolved', 'closed'), updated_at, toDateTime64('2299-12-31 00:00:00', 3, 'Asia/Shanghai')) AS first_handled_at,
    toUInt8(status = 'reopened') AS reopened
FROM events
SETTINGS max_partitions_per_insert_block = 0;

-- The views follow a table's identity, not its name: they are created again for the new tables.
DROP VIEW IF EXISTS report_states_from_events SYNC;
DROP VIEW IF EXISTS report_handling_from_events SYNC;
DROP VIEW IF EXISTS day_activity_from_report_states SYNC;
DROP VIEW IF EXISTS day_activity_from_report_handling SYNC;

EXCHANGE TABLES report_states AND report_states_swap;
EXCHANGE TABLES report_handling AND report_handling_swap;

CREATE MATERIALIZED VIEW IF NOT EXISTS day_activity_from_report_states TO day_activity AS
SELECT day, count() AS rows, now64(3, 'Asia/Shanghai') AS last_push_at
FROM report_states
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS day_activity_from_report_handling TO day_activity AS
SELECT day, count() AS rows, now64(3, 'Asia/Shanghai') AS last_push_at
FROM report_handling
GROUP BY day;

-- The newest message of a report: the largest updated_at wins, then the later status of the contract's list, then the
-- larger offset, then the larger event_id. `version` holds them in this order: 56 bits, 8, 64 and 128.
CREATE MATERIALIZED VIEW IF NOT EXISTS report_states_from_events TO report_states AS
SELECT
    day, city_code, county_code, town_code, grid_code, report_id, event_id, status, reported_at, updated_at,
    due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat, severity, satisfaction, handler,
    bitShiftLeft(toUInt256(toUnixTimestamp64Milli(updated_at)), 200)
        + bitShiftLeft(toUInt256(indexOf(['reported', 'accepted', 'dispatched', 'resolved', 'closed', 'reopened', 'rejected'],
                                         toString(status))), 192)
        + bitShiftLeft(toUInt256(kafka_offset), 128) + toUInt256(toUInt128(event_id)) AS version
FROM events;

CREATE MATERIALIZED VIEW IF NOT EXISTS report_handling_from_events TO report_handling AS
SELECT
    day, source, report_id,
    if(status IN ('resolved', 'closed'), updated_at, toDateTime64('2299-12-31 00:00:00', 3, 'Asia/Shanghai')) AS first_handled_at,
    toUInt8(status = 'reopened') AS reopened
FROM events;

-- What a running stream loaded since the tables were filled.
INSERT INTO report_states
SELECT
    day, city_code, county_code, town_code, grid_code, report_id, event_id, status, reported_at, updated_at,
    due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat, severity, satisfaction, handler,
    bitShiftLeft(toUInt256(toUnixTimestamp64Milli(updated_at)), 200)
        + bitShiftLeft(toUInt256(indexOf(['reported', 'accepted', 'dispatched', 'resolved', 'closed', 'reopened', 'rejected'],
                                         toString(status))), 192)
        + bitShiftLeft(toUInt256(kafka_offset), 128) + toUInt256(toUInt128(event_id)) AS version
FROM events
WHERE loaded_at > now64(3) - INTERVAL 1 DAY
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

INSERT INTO report_handling
SELECT
    day, source, report_id,
    if(status IN ('resolved', 'closed'), updated_at, toDateTime64('2299-12-31 00:00:00', 3, 'Asia/Shanghai')) AS first_handled_at,
    toUInt8(status = 'reopened') AS reopened
FROM events
WHERE loaded_at > now64(3) - INTERVAL 1 DAY
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

-- Figures may change on every day.
INSERT INTO day_activity SELECT DISTINCT day, toUInt64(1) AS rows, now64(3, 'Asia/Shanghai') AS last_push_at FROM events;

-- What people read: one row a report (source and report_id), its newest state and how it was handled. Runs with its
-- owner's rights, so that readers need none on the tables below.
-- The setting lets a condition on `day` leave out all other partitions, on both sides of the join.
-- It is safe because reported_at never changes: all messages of a report lie in the partition of
-- one day, so none has to be merged across partitions. A report whose source breaks that rule is
-- shown once for each of its days; `gridstream verify` names it.
CREATE OR REPLACE VIEW reports
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    s.day AS day, city_code, county_code, town_code, grid_code, s.report_id AS report_id, event_id, status,
    reported_at, updated_at, due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat,
    severity, satisfaction, handler,
    status IN ('resolved', 'closed') AS handled,
    if(handled, h.first_handled_at, NULL) AS handled_at,
    handled AND h.first_handled_at <= due_at AS on_time,
    h.reopened = 1 AS reopened
FROM (SELECT * EXCEPT version FROM report_states FINAL
      SETTINGS do_not_merge_across_partitions_select_final = 1) AS s
LEFT JOIN (SELECT day, source AS from_source, report_id, min(first_handled_at) AS first_handled_at, max(reopened) AS reopened
           FROM report_handling GROUP BY day, source, report_id) AS h
    ON s.day = h.day AND s.source = h.from_source AND s.report_id = h.report_id;

-- One row is a group of reports that say the same, shown by its least confident one; least confident
-- groups first. In the queue: the newest message was decided by `fallback`, or by the model with a
-- confidence below 0.6; a rejected report is not. Reports say the same when their texts are equal
-- after lower-casing and leaving out all but letters and digits, each run of digits as one 0: this
-- finds the same complaint sent again, not the same complaint in other words. `alike` counts the
-- group. Runs with its owner's rights: texts are masked, reporter hashes stay out.
CREATE OR REPLACE VIEW review_queue
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
WITH doubtful AS
(
    SELECT
        r.day AS day, r.report_id AS report_id, r.event_id AS event_id, r.city_code AS city_code,
        r.county_code AS county_code, r.town_code AS town_code, r.grid_code AS grid_code, r.status AS status,
        r.reported_at AS reported_at, r.source AS source, r.event_type AS event_type, r.decided_by AS decided_by,
        r.confidence AS confidence, r.model_version AS model_version, r.text AS text,
        cityHash64(replaceRegexpAll(replaceRegexpAll(lowerUTF8(r.text), '[^\\pL\\pN]+', ''), '\\pN+', '0')) AS text_group
    FROM report_states AS r FINAL
    WHERE r.status != 'rejected'
        AND (r.decided_by = 'fallback' OR (r.decided_by = 'model' AND r.confidence < 0.6))
),
asked AS
(
    SELECT source, report_id, event_id, any(alternatives) AS codes, any(alternative_confidence) AS chances
    FROM events
    WHERE decided_by IN ('fallback', 'model')
        AND (day, source, report_id, event_id) IN (SELECT day, source, report_id, event_id FROM doubtful)
    GROUP BY source, report_id, event_id
),
names AS
(
    SELECT mapFromArrays(groupArray(event_type), groupArray(zh)) AS zh_of FROM event_types FINAL
)
SELECT
    d.day AS day, d.report_id AS report_id, d.event_id AS event_id, d.city_code AS city_code,
    d.county_code AS county_code, d.town_code AS town_code, d.grid_code AS grid_code, d.status AS status,
    d.reported_at AS reported_at, d.source AS source, d.event_type AS event_type, d.decided_by AS decided_by,
    d.confidence AS confidence, d.model_version AS model_version, d.text AS text,
    a.codes AS alternatives, arrayMap(code -> n.zh_of[code], a.codes) AS alternatives_zh,
    a.chances AS alternative_confidence,
    d.text_group AS text_group, count() OVER (PARTITION BY d.text_group) AS alike
FROM doubtful AS d
LEFT JOIN asked AS a ON a.source = d.source AND a.report_id = d.report_id AND a.event_id = d.event_id
CROSS JOIN names AS n
ORDER BY confidence, reported_at, report_id
LIMIT 1 BY text_group;

DROP TABLE IF EXISTS report_states_swap SYNC;
DROP TABLE IF EXISTS report_handling_swap SYNC;

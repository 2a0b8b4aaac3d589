-- The current state of each report, derived from its messages as they are inserted.

-- The newest message of a report: the largest updated_at wins, ties go to the larger event_id.
CREATE TABLE IF NOT EXISTS report_states
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
ORDER BY report_id
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS report_states_from_events TO report_states AS
SELECT
    day, city_code, county_code, town_code, grid_code, report_id, event_id, status, reported_at, updated_at,
    due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat, severity, satisfaction, handler,
    bitShiftLeft(toUInt256(toUnixTimestamp64Milli(updated_at)), 128) + toUInt256(toUInt128(event_id)) AS version
FROM events;

-- What the newest message alone cannot say: when the report was first handled, whether it was
-- ever sent back. Minima and maxima, so that a message seen twice changes nothing.
CREATE TABLE IF NOT EXISTS report_handling
(
    day              Date,
    report_id        String,
    first_handled_at SimpleAggregateFunction(min, DateTime64(3, 'Asia/Shanghai')) COMMENT 'first message resolved or closed; 2299-12-31 when there is none',
    reopened         SimpleAggregateFunction(max, UInt8)
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY report_id
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS report_handling_from_events TO report_handling AS
SELECT
    day, report_id,
    if(status IN ('resolved', 'closed'), updated_at, toDateTime64('2299-12-31 00:00:00', 3, 'Asia/Shanghai')) AS first_handled_at,
    toUInt8(status = 'reopened') AS reopened
FROM events;

-- What people read: one row a report, its newest state beside how it was handled. Runs with its
-- owner's rights, so that readers need none on the tables below (those hold reporter hashes).
-- The setting lets a condition on `day` leave out all other partitions, on both sides of the join.
-- It is safe because reported_at never changes: all messages of a report lie in the partition of
-- one day, so none has to be merged across partitions. A report whose source breaks that rule is
-- shown once for each of its days; `gridstream verify` names it.
CREATE VIEW IF NOT EXISTS reports
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
LEFT JOIN (SELECT day, report_id, min(first_handled_at) AS first_handled_at, max(reopened) AS reopened
           FROM report_handling GROUP BY day, report_id) AS h
    ON s.day = h.day AND s.report_id = h.report_id;

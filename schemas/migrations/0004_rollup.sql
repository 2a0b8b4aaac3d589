-- The daily rollup, and what tells a touched day from an untouched one.

-- A counter that only grows: rows pushed into the two tables that `reports` reads, by the report's
-- day. Attached to those tables and not to `events`, and without a deduplication window, because a
-- retried insert or a repair may be the one that completes them: it has to count. So a change of
-- `rows` means "look again", its size means nothing.
CREATE TABLE IF NOT EXISTS day_activity
(
    day          Date,
    rows         SimpleAggregateFunction(sum, UInt64),
    last_push_at SimpleAggregateFunction(max, DateTime64(3, 'Asia/Shanghai'))
)
ENGINE = AggregatingMergeTree
ORDER BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS day_activity_from_report_states TO day_activity AS
SELECT day, count() AS rows, now64(3, 'Asia/Shanghai') AS last_push_at
FROM report_states
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS day_activity_from_report_handling TO day_activity AS
SELECT day, count() AS rows, now64(3, 'Asia/Shanghai') AS last_push_at
FROM report_handling
GROUP BY day;

-- One row is a day, grid and event type. A day's partition is only ever swapped as a whole, so it
-- cannot drift from `reports`. The two arrays are sorted: equal inputs give equal rows.
CREATE TABLE IF NOT EXISTS rollup_daily
(
    day                Date,
    city_code          LowCardinality(String),
    county_code        LowCardinality(String),
    town_code          LowCardinality(String),
    grid_code          LowCardinality(String),
    event_type         UInt16,
    reported           UInt32,
    handled            UInt32 COMMENT 'resolved or closed',
    closed             UInt32,
    on_time            UInt32 COMMENT 'handled at or before due_at',
    reopened           UInt32 COMMENT 'sent back at least once, whatever became of it',
    rejected           UInt32,
    satisfaction_sum   UInt32,
    satisfaction_count UInt32,
    by_model           UInt32 COMMENT 'event_type decided by the classifier',
    by_fallback        UInt32 COMMENT 'event_type 999 because nothing could decide',
    handling_minutes   Array(UInt32) CODEC(ZSTD) COMMENT 'reported to first handled, one per handled report',
    open_due_at        Array(DateTime64(0, 'Asia/Shanghai')) CODEC(ZSTD) COMMENT 'due_at of each report neither handled nor rejected'
)
ENGINE = MergeTree
PARTITION BY day
ORDER BY (city_code, county_code, town_code, grid_code, event_type);

-- One row is a finished build of a day. The newest row of a day says up to where it had seen.
CREATE TABLE IF NOT EXISTS rollup_builds
(
    day           Date,
    activity_seen UInt64 COMMENT 'day_activity.rows, read before reports was',
    rows          UInt32 COMMENT 'rows of rollup_daily',
    reports       UInt32,
    seconds       Float32,
    run_id        String,
    started_at    DateTime64(3, 'Asia/Shanghai'),
    built_at      DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (day, built_at);

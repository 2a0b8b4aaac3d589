-- What the suites of schemas/expectations found, and what they read beside `quality_events`.

-- One row is a rule, checked on one day of one table in one run.
CREATE TABLE IF NOT EXISTS quality_results
(
    run_id       String,
    checked_at   DateTime64(3, 'Asia/Shanghai'),
    table_name   LowCardinality(String),
    day          Date,
    rule         LowCardinality(String) COMMENT 'see schemas/expectations',
    level        LowCardinality(String) COMMENT 'row or table',
    severity     LowCardinality(String) COMMENT 'reject or warn of a row rule; critical, warning or info of a table rule',
    outcome      Enum8('passed' = 0, 'failed' = 1, 'error' = 2) COMMENT 'error: could not be computed, which says nothing of the data',
    unexpected   Nullable(UInt64) COMMENT 'rows that break the rule, or rows that its query gives',
    checked      Nullable(UInt64) COMMENT 'rows it looked at',
    percent      Nullable(Float64) COMMENT 'unexpected of checked, where both count the same rows',
    seconds      Float32 COMMENT 'of the whole run on this table and day',
    sample_query String COMMENT 'shows what breaks the rule',
    detail       String COMMENT 'observed value, or why it could not be computed; never a value of a text'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(checked_at)
ORDER BY (table_name, day, checked_at, rule)
TTL toDateTime(checked_at) + INTERVAL 400 DAY;

-- The newest run on each table and day as Great Expectations gave it, without any value of the data; Data Docs are made of it.
CREATE TABLE IF NOT EXISTS quality_documents
(
    table_name   LowCardinality(String),
    day          Date,
    run_id       String,
    checked_at   DateTime64(3, 'Asia/Shanghai'),
    document     String CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(checked_at)
ORDER BY (table_name, day)
TTL toDateTime(checked_at) + INTERVAL 400 DAY;

-- The newest finding of each rule on each table and day.
CREATE VIEW IF NOT EXISTS quality_latest
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT * FROM quality_results ORDER BY checked_at DESC LIMIT 1 BY table_name, day, rule;

-- By the day they were refused on; without payload and key.
CREATE VIEW IF NOT EXISTS quality_quarantine
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT toDate(q.quarantined_at) AS day, * EXCEPT (payload, message_key)
FROM (SELECT * FROM quarantine FINAL) AS q;

-- By the day they were written on.
CREATE VIEW IF NOT EXISTS quality_ledger
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT toDate(l.written_at) AS day, * FROM ledger AS l;

-- What an analyst may see of `quality_events`: the sample queries of its rules read it.
CREATE VIEW IF NOT EXISTS quality_samples
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT * EXCEPT (text, extra, reporter_hash) FROM quality_events;

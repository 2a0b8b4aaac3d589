-- What the outcome of a range depends on is recorded with it, so that a retry judges as the first try did and a
-- difference between tries is visible. The state of the load is kept apart from the history of the ledger, which grows.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    isolated UInt32 COMMENT 'of the quarantined messages, those that the program could not process' AFTER duplicates;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    judged_at DateTime64(6, 'Asia/Shanghai') COMMENT 'the time that the rules compared with; a retry uses that of the first try' AFTER token;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    basis Map(LowCardinality(String), String) COMMENT 'versions of what the outcome depends on: registry, rules, model, key, masks, code' AFTER judged_at;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    digests Map(LowCardinality(String), String) COMMENT 'digest of the rows of this range, by table; part of their insert_deduplication_token' AFTER basis;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    total_good UInt64 COMMENT 'good of this partition and epoch up to and including this range; only of phase after' AFTER digests;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    total_quarantined UInt64 AFTER total_good;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    total_duplicates UInt64 AFTER total_quarantined;
ALTER TABLE ledger ADD INDEX IF NOT EXISTS written_at written_at TYPE minmax GRANULARITY 1;

-- One row a partition. Every column is a maximum, so that a row recorded twice changes nothing.
CREATE TABLE IF NOT EXISTS ledger_marks
(
    topic_id        LowCardinality(String),
    epoch           UInt32,
    kafka_partition UInt16,
    finished        SimpleAggregateFunction(max, UInt64) COMMENT 'offset after the newest finished range; 0 when none is finished',
    begun           SimpleAggregateFunction(max, UInt64) COMMENT 'offset after the furthest range begun',
    longest         SimpleAggregateFunction(max, UInt64) COMMENT 'offsets in the longest range',
    good            SimpleAggregateFunction(max, UInt64) COMMENT 'messages of all finished ranges',
    quarantined     SimpleAggregateFunction(max, UInt64),
    duplicates      SimpleAggregateFunction(max, UInt64),
    written_at      SimpleAggregateFunction(max, DateTime64(3, 'Asia/Shanghai')) COMMENT 'of the newest finished range'
)
ENGINE = AggregatingMergeTree
ORDER BY (topic_id, epoch, kafka_partition);

INSERT INTO ledger_marks
SELECT
    topic_id, epoch, kafka_partition, maxIf(last_offset + 1, phase = 'after'), maxIf(last_offset + 1, phase = 'before'),
    max(last_offset - first_offset + 1), sumIf(g, phase = 'after'), sumIf(q, phase = 'after'), sumIf(d, phase = 'after'),
    maxIf(w, phase = 'after')
FROM
(
    SELECT DISTINCT
        topic_id, epoch, kafka_partition, phase, first_offset, last_offset, good AS g, quarantined AS q, duplicates AS d,
        max(written_at) OVER (PARTITION BY topic_id, epoch, kafka_partition, phase) AS w
    FROM ledger
)
GROUP BY topic_id, epoch, kafka_partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS ledger_marks_from_ledger TO ledger_marks AS
SELECT
    topic_id, epoch, kafka_partition,
    if(phase = 'after', last_offset + 1, 0) AS finished,
    if(phase = 'before', last_offset + 1, 0) AS begun,
    last_offset - first_offset + 1 AS longest,
    total_good AS good, total_quarantined AS quarantined, total_duplicates AS duplicates,
    if(phase = 'after', ledger.written_at, toDateTime64(0, 3, 'Asia/Shanghai')) AS written_at
FROM ledger;

-- Facts: every accepted message, every rejected one, and the ledger that accounts for both.

-- One row is an accepted message. `day` is the report's own local day in its city, fixed for the
-- report's life (reported_at never changes), so all messages of a report share one partition.
CREATE TABLE IF NOT EXISTS events
(
    day              Date,
    city_code        LowCardinality(String),
    county_code      LowCardinality(String),
    town_code        LowCardinality(String),
    grid_code        LowCardinality(String),
    event_id         UUID,
    report_id        String,
    status           LowCardinality(String),
    reported_at      DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD),
    updated_at       DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD),
    due_at           DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD),
    source           LowCardinality(String),
    source_type      LowCardinality(String),
    event_type       UInt16,
    decided_by       LowCardinality(String) COMMENT 'person, crosswalk, model or fallback',
    confidence       Float32 COMMENT 'probability of event_type; 1 when a person or a crosswalk decided; of the best guess in a fallback row',
    model_version    LowCardinality(String) COMMENT 'empty where the model was not asked',
    alternatives     Array(UInt16) COMMENT 'the best three of the model, best first; empty where it was not asked',
    alternative_confidence Array(Float32),
    text             String CODEC(ZSTD) COMMENT 'masked',
    lon              Nullable(Float64) COMMENT 'WGS-84 degrees',
    lat              Nullable(Float64) COMMENT 'WGS-84 degrees',
    severity         UInt8,
    satisfaction     Nullable(UInt8),
    handler          LowCardinality(String),
    reporter_hash    String COMMENT 'keyed hash, empty when the message names no reporter',
    extra            String CODEC(ZSTD) COMMENT 'JSON object of the fields outside the contract, masked',
    schema_version   UInt16,
    topic            LowCardinality(String),
    topic_id         LowCardinality(String),
    kafka_partition  UInt16,
    kafka_offset     UInt64 CODEC(Delta, ZSTD),
    kafka_time       DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD) COMMENT 'arrival at Kafka',
    loaded_at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (city_code, event_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- One row is a rejected message, by where it stood in Kafka.
CREATE TABLE IF NOT EXISTS quarantine
(
    topic            LowCardinality(String),
    topic_id         LowCardinality(String),
    kafka_partition  UInt16,
    kafka_offset     UInt64,
    kafka_time       DateTime64(3, 'Asia/Shanghai'),
    stage            LowCardinality(String) COMMENT 'decode or judge',
    reason           LowCardinality(String) COMMENT 'the first rule that failed; see schemas/reasons.yaml',
    reasons          Array(LowCardinality(String)),
    detail           String COMMENT 'where and what, without the value',
    event_id         Nullable(UUID),
    report_id        String,
    grid_code        String,
    source           LowCardinality(String),
    message_key      String COMMENT 'masked',
    payload          String CODEC(ZSTD) COMMENT 'masked; cut when payload_bytes is larger than it',
    payload_bytes    UInt32,
    payload_sha256   FixedString(64) COMMENT 'of the bytes as they were in Kafka',
    quarantined_at   DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(kafka_time)
ORDER BY (topic_id, kafka_partition, kafka_offset)
TTL toDateTime(quarantined_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- One row before and one after each insert of an offset range. The largest `last_offset` of the
-- rows `after` is the high-water mark of (topic_id, kafka_partition).
CREATE TABLE IF NOT EXISTS ledger
(
    topic            LowCardinality(String),
    topic_id         LowCardinality(String),
    kafka_partition  UInt16,
    first_offset     UInt64,
    last_offset      UInt64,
    phase            Enum8('before' = 0, 'after' = 1),
    good             UInt32 COMMENT 'rows inserted into events',
    quarantined      UInt32 COMMENT 'rows inserted into quarantine',
    duplicates       UInt32 COMMENT 'resends dropped because their event_id stood earlier in the same range',
    epoch            UInt32 COMMENT 'generation of the load; part of the token',
    writer           UInt64 COMMENT 'which stream process wrote this',
    batch_id         Int64,
    token            String COMMENT 'insert_deduplication_token without the table name',
    first_kafka_time DateTime64(3, 'Asia/Shanghai'),
    last_kafka_time  DateTime64(3, 'Asia/Shanghai'),
    seconds          Float32 COMMENT 'from decode to insert',
    written_at       DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (topic_id, kafka_partition, first_offset, phase)
SETTINGS non_replicated_deduplication_window = 10000;

-- One row is a stream process that took over writing. The largest `writer` is the only one allowed
-- to write; an older one that wakes up finds itself fenced.
CREATE TABLE IF NOT EXISTS writers
(
    writer       UInt64,
    nonce        UUID,
    topic        String,
    epoch        UInt32,
    host         String,
    pid          UInt32,
    acquired_at  DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (topic, writer);

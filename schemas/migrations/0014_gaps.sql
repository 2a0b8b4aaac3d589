-- One row is a range of offsets that Kafka's retention deleted before the stream had loaded them: lost, and known to be.
CREATE TABLE IF NOT EXISTS gaps
(
    topic            LowCardinality(String),
    topic_id         LowCardinality(String),
    kafka_partition  UInt16,
    first_offset     UInt64,
    last_offset      UInt64,
    writer           UInt64 COMMENT 'the stream process that found it, and stopped',
    found_at         DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(found_at)
ORDER BY (topic_id, kafka_partition, first_offset, last_offset);

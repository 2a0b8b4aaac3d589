-- What people did about rejected messages. Append-only: quarantine rows themselves never change.

-- One row is an action on the rejected message that stood at (topic_id, kafka_partition, kafka_offset).
-- The message waits while it has no action. `replaying` is written before the message is sent again and
-- `replayed` once Kafka acknowledged it; one left at `replaying` may or may not be in the topic.
CREATE TABLE IF NOT EXISTS quarantine_actions
(
    topic_id         LowCardinality(String),
    kafka_partition  UInt16,
    kafka_offset     UInt64,
    action           Enum8('replaying' = 1, 'replayed' = 2, 'discarded' = 3),
    attempt          UInt16 COMMENT 'how often this message has been sent again, through all its quarantine rows; 0 for discarded',
    sent_partition   Nullable(UInt16) COMMENT 'where it stands now; only of replayed',
    sent_offset      Nullable(UInt64),
    at               DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    by               String
)
ENGINE = MergeTree
ORDER BY (topic_id, kafka_partition, kafka_offset, action);

-- The sources that may send messages, filled from schemas/sources.yaml: a new one needs no change of queries or views.
CREATE TABLE IF NOT EXISTS sources
(
    source     LowCardinality(String) COMMENT 'field `source` of a message',
    source_zh  String,
    source_en  String,
    loaded_at  DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY source;

-- Rejected messages with what became of them.

-- `state`: waiting while nothing was done about it; replaying (sent, not yet acknowledged); replayed (sent as it was);
-- fixed (repaired and sent); discarded.
CREATE VIEW IF NOT EXISTS quarantine_states AS
SELECT q.topic AS topic, q.topic_id AS topic_id, q.kafka_partition AS kafka_partition, q.kafka_offset AS kafka_offset,
    q.kafka_time AS kafka_time, q.stage AS stage, q.reason AS reason, q.reasons AS reasons, q.rules AS rules,
    q.detail AS detail, q.event_id AS event_id, q.report_id AS report_id, q.grid_code AS grid_code,
    q.source AS source, q.message_key AS message_key, q.payload AS payload, q.payload_bytes AS payload_bytes,
    q.payload_sha256 AS payload_sha256, q.quarantined_at AS quarantined_at,
    multiIf(acted.furthest = '', 'waiting', acted.furthest = 'replayed' AND acted.fix != '', 'fixed', acted.furthest)
        AS state,
    acted.fix AS fix
FROM quarantine AS q FINAL
LEFT JOIN
(
    SELECT topic_id, kafka_partition, kafka_offset, toString(max(action)) AS furthest, argMax(fix, action) AS fix
    FROM quarantine_actions GROUP BY topic_id, kafka_partition, kafka_offset
) AS acted
    ON acted.topic_id = q.topic_id AND acted.kafka_partition = q.kafka_partition AND acted.kafka_offset = q.kafka_offset;

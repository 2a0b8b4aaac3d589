-- A run that took a message can give it back: what it neither sent nor discarded waits again.

-- `replaying` is a run's claim, written before it sends or discards; `replayed` and `discarded` say that it did, `released`
-- that it did not and will not.
ALTER TABLE quarantine_actions MODIFY COLUMN IF EXISTS
    action Enum8('released' = 0, 'replaying' = 1, 'replayed' = 2, 'discarded' = 3);

-- What keeps a message from waiting: one row is a run that did something about it, or still claims it. `since`: its claim.
CREATE OR REPLACE VIEW quarantine_claims AS
SELECT topic_id, kafka_partition, kafka_offset, run, max(action) AS furthest, argMax(fix, action) AS fix,
    max(attempt) AS attempt, min(at) AS since
FROM quarantine_actions
GROUP BY topic_id, kafka_partition, kafka_offset, run
HAVING furthest IN ('replayed', 'discarded') OR (furthest = 'replaying' AND min(action) = 'replaying');

-- As before, but for claims that were released: without them the message is waiting.
CREATE OR REPLACE VIEW quarantine_states AS
SELECT q.topic AS topic, q.topic_id AS topic_id, q.kafka_partition AS kafka_partition, q.kafka_offset AS kafka_offset,
    q.kafka_time AS kafka_time, q.stage AS stage, q.reason AS reason, q.reasons AS reasons, q.rules AS rules,
    q.detail AS detail, q.event_id AS event_id, q.report_id AS report_id, q.grid_code AS grid_code,
    q.source AS source, q.message_key AS message_key, q.payload AS payload, q.payload_bytes AS payload_bytes,
    q.payload_sha256 AS payload_sha256, q.quarantined_at AS quarantined_at,
    multiIf(acted.reached = '', 'waiting', acted.reached = 'replayed' AND acted.fix != '', 'fixed', acted.reached)
        AS state,
    acted.fix AS fix
FROM quarantine AS q FINAL
LEFT JOIN
(
    SELECT topic_id, kafka_partition, kafka_offset, toString(max(c.furthest)) AS reached, argMax(c.fix, c.furthest) AS fix
    FROM quarantine_claims AS c GROUP BY topic_id, kafka_partition, kafka_offset
) AS acted
    ON acted.topic_id = q.topic_id AND acted.kafka_partition = q.kafka_partition AND acted.kafka_offset = q.kafka_offset;

-- The rejected messages of a topic with their state, in the order of the fields of
-- `RejectedMessage`.
SELECT s.topic_id AS topic_id, s.kafka_partition AS partition, s.kafka_offset AS offset, s.kafka_time AS kafka_time,
    s.stage AS stage, s.reason AS reason, s.reasons AS reasons, s.rules AS rules, s.detail AS detail,
    s.event_id AS event_id, s.report_id AS report_id, s.grid_code AS grid_code, s.source AS source,
    s.message_key AS message_key, s.payload AS payload, s.payload_bytes AS payload_bytes,
    toString(s.payload_sha256) AS sha256, s.quarantined_at AS quarantined_at, s.state AS state, s.fix AS fix,
    sent.attempt AS attempts
FROM quarantine_states AS s
LEFT JOIN
(
    SELECT topic_id, sent_partition, sent_offset, max(attempt) AS attempt FROM quarantine_actions
    WHERE action = 'replayed' GROUP BY topic_id, sent_partition, sent_offset
) AS sent
    ON sent.topic_id = s.topic_id AND sent.sent_partition = s.kafka_partition AND sent.sent_offset = s.kafka_offset
WHERE s.topic = {topic:String}

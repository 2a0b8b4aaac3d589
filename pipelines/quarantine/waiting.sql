-- One page of the messages that nothing was done about, oldest first, behind `after`. What was
-- rejected since the run began is left out, so that a run does not meet the messages that it sent
-- itself. Four columns are named `stored_...`: without the prefix these names are the fields of the
-- payload (see computed.sql).
SELECT q.topic_id AS topic_id, q.kafka_partition AS partition, q.kafka_offset AS offset,
    toUnixTimestamp64Milli(q.kafka_time) AS millis, q.kafka_time AS kafka_time, q.stage AS stage, q.reason AS reason,
    q.reasons AS reasons, q.rules AS rules, q.detail AS detail, q.event_id AS stored_event_id,
    q.report_id AS stored_report_id, q.grid_code AS stored_grid_code, q.source AS stored_source,
    q.message_key AS message_key, q.payload AS payload, q.payload_bytes AS payload_bytes,
    toString(q.payload_sha256) AS sha256, q.quarantined_at AS quarantined_at, sent.attempt AS attempts
FROM quarantine AS q FINAL
LEFT JOIN
(
    SELECT topic_id, sent_partition, sent_offset, max(attempt) AS attempt FROM quarantine_actions
    WHERE action = 'replayed' GROUP BY topic_id, sent_partition, sent_offset
) AS sent
    ON sent.topic_id = q.topic_id AND sent.sent_partition = q.kafka_partition AND sent.sent_offset = q.kafka_offset
WHERE q.topic = {topic:String}
  AND (q.topic_id, q.kafka_partition, q.kafka_offset) NOT IN
    (SELECT topic_id, kafka_partition, kafka_offset FROM quarantine_claims)
  AND ({reason:String} = '' OR has(q.reasons, {reason:String}))
  AND ({rule:String} = '' OR has(q.rules, {rule:String}))
  AND ({source:String} = '' OR q.source = {source:String})
  AND q.kafka_time >= {since:DateTime64(3)} AND q.kafka_time < {until:DateTime64(3)}
  AND q.quarantined_at < fromUnixTimestamp64Milli({begun:Int64})
  AND (toUnixTimestamp64Milli(q.kafka_time), q.topic_id, q.kafka_partition, q.kafka_offset)
    > ({after_millis:Int64}, {after_topic_id:String}, {after_partition:Int32}, {after_offset:Int64})
ORDER BY millis, topic_id, partition, offset
LIMIT {limit:UInt64}

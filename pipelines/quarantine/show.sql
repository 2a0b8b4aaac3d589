-- What was rejected at one position; of a topic made anew, the newest first.
SELECT topic_id, kafka_partition AS partition, kafka_offset AS offset, kafka_time, stage, reason, reasons, rules,
    detail, event_id, report_id, grid_code, source, message_key, payload, payload_bytes,
    toString(payload_sha256) AS sha256, quarantined_at, state, fix
FROM quarantine_states
WHERE topic = {topic:String} AND kafka_partition = {partition:UInt16} AND kafka_offset = {offset:UInt64}
ORDER BY quarantined_at DESC

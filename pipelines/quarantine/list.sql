-- Newest first. Empty texts match all; `reason` and `rule` match any of a message's.
SELECT topic_id, kafka_partition AS partition, kafka_offset AS offset, kafka_time, stage, reason, reasons, rules,
    detail, event_id, report_id, grid_code, source, message_key, payload, payload_bytes,
    toString(payload_sha256) AS sha256, quarantined_at, state, fix
FROM quarantine_states
WHERE topic = {topic:String}
  AND ({reason:String} = '' OR has(reasons, {reason:String}))
  AND ({rule:String} = '' OR has(rules, {rule:String}))
  AND ({source:String} = '' OR source = {source:String})
ORDER BY kafka_time DESC, partition, offset DESC
LIMIT {limit:UInt32}

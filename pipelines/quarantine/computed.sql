-- The rows of waiting.sql in the order of the fields of `RejectedMessage`, with the JSON values of
-- expressions over their fields. A field by its name is text: a string as it is, any other value
-- as JSON, '' where it is missing or null.
WITH (name) -> multiIf(JSONType(payload, name) = 'String', JSONExtractString(payload, name),
    JSONType(payload, name) = 'Null', '', JSONExtractRaw(payload, name)) AS field
SELECT millis, topic_id, partition, offset, kafka_time, stage, reason, reasons, rules, detail, stored_event_id,
    stored_report_id, stored_grid_code, stored_source, message_key, payload, payload_bytes, sha256, quarantined_at,
    'waiting' AS state, '' AS fix, attempts, [$computed]
FROM (SELECT *, $fields FROM $page)
ORDER BY millis, topic_id, partition, offset

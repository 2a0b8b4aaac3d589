-- One page of waiting messages, with what expressions over their fields come to, as JSON. A field by its name is text:
-- a string as it is, any other value as JSON, '' where it is missing or null.
WITH (name) -> multiIf(JSONType(payload, name) = 'String', JSONExtractString(payload, name),
    JSONType(payload, name) = 'Null', '', JSONExtractRaw(payload, name)) AS field
SELECT millis, topic_id, partition, offset, code, payload, payload_bytes, reason, attempts, [$computed]
FROM (SELECT *, $fields FROM ($waiting))
ORDER BY millis, topic_id, partition, offset

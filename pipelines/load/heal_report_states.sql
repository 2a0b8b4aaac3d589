-- The view `report_states_from_events`, for one offset range; a row that is there already changes nothing.
INSERT INTO report_states
SELECT
    day, city_code, county_code, town_code, grid_code, report_id, event_id, status, reported_at, updated_at,
    due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat, severity, satisfaction, handler,
    bitShiftLeft(toUInt256(toUnixTimestamp64Milli(updated_at)), 200)
        + bitShiftLeft(toUInt256(indexOf(['reported', 'accepted', 'dispatched', 'resolved', 'closed', 'reopened', 'rejected'],
                                         toString(status))), 192)
        + bitShiftLeft(toUInt256(kafka_offset), 128) + toUInt256(toUInt128(event_id)) AS version
FROM events
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}

-- The view `report_handling_from_events`, for one offset range; minima and maxima, so that twice changes nothing.
INSERT INTO report_handling
SELECT
    day, source, report_id,
    if(status IN ('resolved', 'closed'), updated_at, toDateTime64('2299-12-31 00:00:00', 3, 'Asia/Shanghai')) AS first_handled_at,
    toUInt8(status = 'reopened') AS reopened
FROM events
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}

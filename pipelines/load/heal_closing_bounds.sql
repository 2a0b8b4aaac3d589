-- The view `closing_bounds_from_events`, for one offset range; rows merge, so that twice changes nothing.
INSERT INTO closing_bounds
SELECT day, event_id FROM events
WHERE position(extra, 'closing_time') > 0 AND JSONExtractString(extra, 'closing_time') = 'bound'
  AND topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}

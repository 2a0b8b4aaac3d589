-- What is stored of one offset range: of an event its id, of a rejected message an empty one.
SELECT 'events' AS table, kafka_offset, toString(event_id) AS event_id
FROM events
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}
UNION ALL
SELECT 'quarantine', kafka_offset, ''
FROM quarantine
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}

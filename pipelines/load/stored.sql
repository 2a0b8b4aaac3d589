-- Which offsets of a range are stored, and where.
SELECT 'events' AS table, kafka_offset
FROM events
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}
UNION ALL
SELECT 'quarantine', kafka_offset
FROM quarantine
WHERE topic_id = {topic_id:String} AND kafka_partition = {partition:UInt16}
  AND kafka_offset BETWEEN {first:UInt64} AND {last:UInt64}

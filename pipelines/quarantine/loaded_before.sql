-- The last offset of each partition that was loaded a minute before each of `moments`: what is sent
-- later has a larger one. Both times are by the server's clock; the minute allows for a clock that
-- is set back.
SELECT moment, kafka_partition, max(last_offset)
FROM ledger ARRAY JOIN {moments:Array(Int64)} AS moment
WHERE topic_id = {topic_id:String} AND phase = 'after' AND toUnixTimestamp64Milli(written_at) < moment - 60000
GROUP BY moment, kafka_partition

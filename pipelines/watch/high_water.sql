SELECT kafka_partition, max(last_offset)
FROM ledger
WHERE topic_id = {topic_id:String} AND phase = 'after'
GROUP BY kafka_partition

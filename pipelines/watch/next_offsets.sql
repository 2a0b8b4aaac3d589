-- By partition, the first offset that is neither loaded nor given up as lost.
SELECT kafka_partition, max(behind) AS next_offset
FROM
(
    SELECT kafka_partition, finished AS behind
    FROM ledger_marks WHERE topic_id = {topic_id:String} AND finished > 0
    UNION ALL
    SELECT kafka_partition, last_offset + 1 AS behind
    FROM gaps FINAL WHERE topic_id = {topic_id:String} AND accepted
)
GROUP BY kafka_partition

-- Messages that this run claims and another one claimed or settled before it.
SELECT topic_id, kafka_partition, kafka_offset FROM quarantine_actions
WHERE (topic_id, kafka_partition, kafka_offset) IN
    (SELECT topic_id, kafka_partition, kafka_offset FROM quarantine_actions WHERE run = {run:UUID})
GROUP BY topic_id, kafka_partition, kafka_offset
HAVING argMin(run, (at, run)) != {run:UUID}

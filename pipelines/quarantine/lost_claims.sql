-- Messages that this run claims and another run claims too, or settled.
SELECT DISTINCT topic_id, kafka_partition, kafka_offset FROM quarantine_claims
WHERE run != {run:UUID}
  AND (topic_id, kafka_partition, kafka_offset) IN
    (SELECT topic_id, kafka_partition, kafka_offset FROM quarantine_actions WHERE run = {run:UUID})

-- Claims that no run has settled. `millis`: time of the first claim; `age`: seconds since the last
-- one; `namesake`: a message of an earlier topic of this name had the same position and was
-- claimed, too.
WITH held AS
(
    SELECT * FROM quarantine_claims WHERE topic_id IN (SELECT topic_id FROM quarantine WHERE topic = {topic:String})
)
SELECT topic_id, kafka_partition AS partition, kafka_offset AS offset, max(attempt) AS attempt,
    toUnixTimestamp64Milli(min(since)) AS millis, age('second', max(since), now64(3)) AS age,
    argMin(run, (since, run)) AS first_run, argMin(fix, (since, run)) AS first_fix, groupUniqArray(run) AS runs,
    (partition, offset) IN
    (
        SELECT kafka_partition, kafka_offset FROM held
        GROUP BY kafka_partition, kafka_offset HAVING uniqExact(topic_id) > 1
    ) AS namesake
FROM held
GROUP BY topic_id, kafka_partition, kafka_offset
HAVING max(furthest) = 'replaying'
ORDER BY millis, topic_id, partition, offset

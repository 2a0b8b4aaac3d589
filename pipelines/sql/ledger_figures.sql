-- One row: the newest micro-batch, the rate of the last minute, and how much was refused in the last hour and in all.
WITH ranges AS
(
    SELECT DISTINCT kafka_partition, first_offset, last_offset, good, quarantined, duplicates, writer, batch_id, written_at
    FROM ledger
    WHERE topic_id = {topic_id:String} AND phase = 'after'
),
newest AS (SELECT writer, batch_id FROM ranges ORDER BY written_at DESC LIMIT 1)
SELECT
    maxIf(batch_id, (writer, batch_id) IN newest)                                           AS batch_id,
    sumIf(good + quarantined + duplicates, (writer, batch_id) IN newest)                    AS batch_rows,
    dateDiff('millisecond', max(written_at), now64(3)) / 1000                               AS batch_age_seconds,
    sumIf(good + quarantined + duplicates, written_at > now64(3) - INTERVAL 60 SECOND) / 60 AS rows_per_second,
    sum(good)                                                                               AS good,
    sum(quarantined)                                                                        AS quarantined,
    sum(duplicates)                                                                         AS duplicates,
    sumIf(quarantined, written_at > now64(3) - INTERVAL 1 HOUR)                             AS hour_quarantined,
    sumIf(good + quarantined + duplicates, written_at > now64(3) - INTERVAL 1 HOUR)         AS hour_rows
FROM ranges

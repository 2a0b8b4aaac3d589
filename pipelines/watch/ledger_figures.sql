-- One row: the newest micro-batch, the rate of the last minute, rejected messages of the last hour and of all time.
WITH ranges AS
(
    SELECT DISTINCT
        kafka_partition, first_offset, last_offset, good AS g, quarantined AS q, duplicates AS d,
        good + quarantined + duplicates AS n, writer, batch_id AS batch, written_at
    FROM ledger
    WHERE topic_id = {topic_id:String} AND phase = 'after'
),
newest AS (SELECT writer, batch FROM ranges ORDER BY written_at DESC LIMIT 1)
SELECT
    maxIf(batch, (writer, batch) IN newest)                        AS batch_id,
    sumIf(n, (writer, batch) IN newest)                            AS batch_rows,
    dateDiff('millisecond', max(written_at), now64(3)) / 1000      AS batch_age_seconds,
    sumIf(n, written_at > now64(3) - INTERVAL 60 SECOND) / 60      AS rows_per_second,
    sum(g)                                                         AS good,
    sum(q)                                                         AS quarantined,
    sum(d)                                                         AS duplicates,
    sumIf(q, written_at > now64(3) - INTERVAL 1 HOUR)              AS hour_quarantined,
    sumIf(n, written_at > now64(3) - INTERVAL 1 HOUR)              AS hour_rows
FROM ranges

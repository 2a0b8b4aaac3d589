-- One row: the newest micro-batch, the rate of the last minute, rejected messages of the last hour and of all time.
-- Totals come from the state of the load; of the ledger only the last hour is read, or the end of it.
WITH
    (SELECT max(written_at) FROM ledger_marks WHERE topic_id = {topic_id:String}) AS newest_at,
    ranges AS
    (
        SELECT DISTINCT
            kafka_partition, first_offset, last_offset, good AS g, quarantined AS q, duplicates AS d,
            good + quarantined + duplicates AS n, isolated AS i, writer, batch_id AS batch, written_at
        FROM ledger
        WHERE topic_id = {topic_id:String} AND phase = 'after'
          AND written_at >= least(newest_at - INTERVAL 10 MINUTE, now64(3) - INTERVAL 1 HOUR)
    ),
    newest AS (SELECT writer, batch FROM ranges ORDER BY written_at DESC LIMIT 1),
    (
        SELECT (sum(good), sum(quarantined), sum(duplicates))
        FROM
        (
            SELECT max(good) AS good, max(quarantined) AS quarantined, max(duplicates) AS duplicates
            FROM ledger_marks WHERE topic_id = {topic_id:String} GROUP BY epoch, kafka_partition
        )
    ) AS totals
SELECT
    maxIf(batch, (writer, batch) IN newest)                        AS batch_id,
    sumIf(n, (writer, batch) IN newest)                            AS batch_rows,
    dateDiff('millisecond', newest_at, now64(3)) / 1000            AS batch_age_seconds,
    sumIf(n, written_at > now64(3) - INTERVAL 60 SECOND) / 60      AS rows_per_second,
    totals.1                                                       AS good,
    totals.2                                                       AS quarantined,
    totals.3                                                       AS duplicates,
    sumIf(q, written_at > now64(3) - INTERVAL 1 HOUR)              AS hour_quarantined,
    sumIf(i, written_at > now64(3) - INTERVAL 1 HOUR)              AS hour_isolated,
    sumIf(n, written_at > now64(3) - INTERVAL 1 HOUR)              AS hour_rows
FROM ranges

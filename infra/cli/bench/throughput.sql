-- One row: how fast the ranges of a topic were loaded, with and without the first micro-batch (cold JVM and compiler).
WITH
    after AS (SELECT batch_id, written_at, seconds, good + quarantined + duplicates AS n FROM ledger WHERE phase = 'after'),
    (SELECT min(batch_id) FROM after) AS first_batch,
    (SELECT max(written_at) FROM after WHERE batch_id = first_batch) AS warm_from,
    (SELECT min(written_at) FROM ledger) AS begun
SELECT
    sum(n)                                                                              AS messages,
    uniqExact(batch_id)                                                                 AS micro_batches,
    dateDiff('millisecond', begun, max(written_at)) / 1000                              AS seconds,
    sumIf(n, batch_id > first_batch)                                                    AS warm_messages,
    dateDiff('millisecond', warm_from, max(written_at)) / 1000                          AS warm_seconds
FROM after

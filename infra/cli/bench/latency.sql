-- One row: seconds from a message's timestamp (set by the producer) to the AFTER row of its range, when it can be
-- queried. `skip`: seconds at the beginning that do not count (cold JVM and compiler).
WITH (SELECT min(kafka_time) FROM events) + toIntervalSecond({skip:UInt32}) AS counted_from
SELECT
    count()                                                     AS messages,
    quantilesExact(0.5, 0.9, 0.99, 1)(dateDiff('millisecond', e.kafka_time, l.written_at) / 1000) AS quantiles
FROM (SELECT kafka_partition, kafka_offset, kafka_time FROM events WHERE kafka_time >= counted_from) AS e
ASOF INNER JOIN (SELECT kafka_partition, first_offset, written_at FROM ledger WHERE phase = 'after') AS l
    ON e.kafka_partition = l.kafka_partition AND e.kafka_offset >= l.first_offset

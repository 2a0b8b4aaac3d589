-- Ranges of some partitions from given offsets on: whether they are finished, when they were judged first, and the
-- totals of their partition up to them.
SELECT
    kafka_partition, first_offset, last_offset,
    countIf(phase = 'after') > 0                                             AS finished,
    argMinIf(judged_at, written_at, phase = 'before' AND judged_at > 0)      AS judged_at,
    max(total_good), max(total_quarantined), max(total_duplicates)
FROM ledger
WHERE topic_id = {topic_id:String} AND epoch = {epoch:UInt32} AND kafka_partition IN {partitions:Array(UInt16)}
  AND first_offset >= {begin:UInt64}
  AND first_offset >= transform(kafka_partition, {partitions:Array(UInt16)}, {begins:Array(UInt64)}, 0)
GROUP BY kafka_partition, first_offset, last_offset
ORDER BY kafka_partition, first_offset, last_offset

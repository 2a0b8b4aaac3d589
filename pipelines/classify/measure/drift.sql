-- Reports that the text model answered, by window and bin; `kind`: confidence (tenths) or type (its best guess).
-- The reference is the first weeks in which this version ran; a report counts once in each bin that it was ever in.
WITH
    (SELECT min(day) FROM events WHERE model_version = {version:String}) AS began,
    began + {reference_days:UInt16} AS ended
SELECT
    if(day < ended, 'reference', 'current')                        AS window,
    pair.1                                                         AS kind,
    pair.2                                                         AS bin,
    uniqExact(source, report_id)                                   AS reports,
    toString(min(day))                                             AS first,
    toString(max(day))                                             AS last
FROM events
ARRAY JOIN
    [
        ('confidence', toUInt16(least(floor(confidence * 10), 9))),
        ('type', if(empty(alternatives), event_type, alternatives[1]))
    ] AS pair
WHERE model_version = {version:String}
    AND (day < ended OR day BETWEEN {today:Date} - {days:UInt16} AND {today:Date} - 1)
GROUP BY window, kind, bin
ORDER BY window, kind, bin

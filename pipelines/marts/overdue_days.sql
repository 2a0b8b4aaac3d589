-- Days with messages that no build has seen `soon` minutes after they were loaded (`later` minutes in days before
-- `recent`), and the minutes for which the oldest has waited.
SELECT day, age('minute', min(e.loaded_at), now64(3)) AS minutes
FROM events AS e
INNER JOIN
(
    SELECT a.day AS day, b.started_at AS started_at
    FROM (SELECT day, sum(d.rows) AS rows FROM day_activity AS d GROUP BY day) AS a
    LEFT JOIN
    (
        SELECT day, argMax(r.activity_seen, r.built_at) AS seen, argMax(r.started_at, r.built_at) AS started_at
        FROM rollup_builds AS r GROUP BY day
    ) AS b USING (day)
    WHERE a.rows != b.seen
) AS stale USING (day)
WHERE e.loaded_at > stale.started_at
  AND e.loaded_at < now64(3) - toIntervalMinute(if(day >= {recent:Date}, {soon:UInt16}, {later:UInt16}))
GROUP BY day
ORDER BY day

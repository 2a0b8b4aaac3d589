-- Days whose reports changed since their newest build began, or whose newest build has an older definition or read other
-- time zones of cities. An insert into the tables below `reports` is not atomic:
-- the counter may be written before the rows. So a build that began less than `settle` seconds after the last insert
-- is not trusted and is repeated.
-- Days before `recent` wait until their newest build began `rest` seconds ago.
SELECT a.day AS day
FROM
(
    SELECT day, sum(d.rows) AS rows, max(d.last_push_at) AS last_push_at
    FROM day_activity AS d GROUP BY day
) AS a
LEFT JOIN
(
    SELECT day, argMax(r.activity_seen, r.built_at) AS seen, argMax(r.started_at, r.built_at) AS started_at,
           argMax(r.version, r.built_at) AS version, argMax(r.inputs, r.built_at) AS inputs
    FROM rollup_builds AS r GROUP BY day
) AS b USING (day)
WHERE (a.rows != b.seen OR b.version != {version:UInt16}
       OR b.inputs != (SELECT sum(digest) FROM build_inputs WHERE name = 'rollup')
       OR dateDiff('millisecond', a.last_push_at, b.started_at) < 1000 * {settle:Float64})
  AND (day >= {recent:Date} OR dateDiff('millisecond', b.started_at, now64(3)) >= 1000 * {rest:Float64})
ORDER BY day

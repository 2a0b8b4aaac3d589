-- Days that were rebuilt after `since` and not checked after their newest build, newest first.
SELECT b.day AS day
FROM (SELECT day, max(built_at) AS at FROM rollup_builds WHERE built_at > {since:DateTime64(3, 'Asia/Shanghai')} GROUP BY day) AS b
LEFT JOIN (SELECT day, max(checked_at) AS at FROM quality_documents WHERE table_name = 'rollup_daily' GROUP BY day) AS c USING (day)
WHERE c.at < b.at
ORDER BY day DESC
LIMIT {limit:UInt32}

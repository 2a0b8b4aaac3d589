-- What people should look at: reports whose type nobody and nothing decided, or the model hardly.

-- One row is a group of reports that say the same, shown by its least confident one; least confident
-- groups first. In the queue: the newest message was decided by `fallback`, or by the model with a
-- confidence below 0.6; a rejected report is not. Reports say the same when their texts are equal
-- after lower-casing and leaving out all but letters and digits, each run of digits as one 0: this
-- finds the same complaint sent again, not the same complaint in other words. `alike` counts the
-- group. Runs with its owner's rights: texts are masked, reporter hashes stay out.
CREATE VIEW IF NOT EXISTS review_queue
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
WITH doubtful AS
(
    SELECT
        r.day AS day, r.report_id AS report_id, r.event_id AS event_id, r.city_code AS city_code,
        r.county_code AS county_code, r.town_code AS town_code, r.grid_code AS grid_code, r.status AS status,
        r.reported_at AS reported_at, r.source AS source, r.event_type AS event_type, r.decided_by AS decided_by,
        r.confidence AS confidence, r.model_version AS model_version, r.text AS text,
        cityHash64(replaceRegexpAll(replaceRegexpAll(lowerUTF8(r.text), '[^\\pL\\pN]+', ''), '\\pN+', '0')) AS text_group
    FROM report_states AS r FINAL
    WHERE r.status != 'rejected'
        AND (r.decided_by = 'fallback' OR (r.decided_by = 'model' AND r.confidence < 0.6))
),
asked AS
(
    SELECT event_id, any(alternatives) AS codes, any(alternative_confidence) AS chances
    FROM events
    WHERE decided_by IN ('fallback', 'model')
        AND (day, event_id) IN (SELECT day, event_id FROM doubtful)
    GROUP BY event_id
),
names AS
(
    SELECT mapFromArrays(groupArray(event_type), groupArray(zh)) AS zh_of FROM event_types FINAL
)
SELECT
    d.day AS day, d.report_id AS report_id, d.event_id AS event_id, d.city_code AS city_code,
    d.county_code AS county_code, d.town_code AS town_code, d.grid_code AS grid_code, d.status AS status,
    d.reported_at AS reported_at, d.source AS source, d.event_type AS event_type, d.decided_by AS decided_by,
    d.confidence AS confidence, d.model_version AS model_version, d.text AS text,
    a.codes AS alternatives, arrayMap(code -> n.zh_of[code], a.codes) AS alternatives_zh,
    a.chances AS alternative_confidence,
    d.text_group AS text_group, count() OVER (PARTITION BY d.text_group) AS alike
FROM doubtful AS d
LEFT JOIN asked AS a ON a.event_id = d.event_id
CROSS JOIN names AS n
ORDER BY confidence, reported_at, report_id
LIMIT 1 BY text_group;

-- Figures that say what they are about: reports due in a period, times that are known, times of the city.

-- Closings whose time the source does not know: its message gives only a bound (`closing_time: bound` in `extra`). Such a
-- report is handled, on time or late as the source says, but has no handling time.
CREATE TABLE IF NOT EXISTS closing_bounds
(
    day      Date,
    event_id UUID COMMENT 'of a message whose updated_at is a bound of the time of closing'
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY event_id
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS closing_bounds_from_events TO closing_bounds AS
SELECT day, event_id FROM events
WHERE position(extra, 'closing_time') > 0 AND JSONExtractString(extra, 'closing_time') = 'bound';

INSERT INTO closing_bounds
SELECT day, event_id FROM events
WHERE position(extra, 'closing_time') > 0 AND JSONExtractString(extra, 'closing_time') = 'bound';

-- handled_at: the first message resolved or closed. Of a report that was reopened it is the newest message, because the
-- first closing did not last. NULL if the time of closing is only bounded. on_time compares the same time, or the bound,
-- with due_at. local_time and due_day are in the time zone of the city, so that toHour(local_time) is its hour.
CREATE OR REPLACE VIEW reports
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
WITH (SELECT mapFromArrays(groupArray(toString(city_code)), groupArray(toString(timezone))) FROM cities FINAL) AS zones
SELECT
    s.day AS day, city_code, county_code, town_code, grid_code, s.report_id AS report_id, s.event_id AS event_id, status,
    reported_at, updated_at, due_at, source, event_type, decided_by, confidence, model_version, text, lon, lat,
    severity, satisfaction, handler,
    status IN ('resolved', 'closed') AS handled,
    if(handled AND NOT closing_time_bounded, if(reopened, updated_at, h.first_handled_at), NULL) AS handled_at,
    handled AND if(reopened, updated_at, h.first_handled_at) <= due_at AS on_time,
    h.reopened = 1 AS reopened,
    handled AND b.bounded = 1 AS closing_time_bounded,
    if(zones[toString(city_code)] = '', 'Asia/Shanghai', zones[toString(city_code)]) AS timezone,
    toDateTime(formatDateTime(reported_at, '%F %T', timezone), 'UTC') AS local_time,
    toHour(local_time) AS local_hour,
    toDate(formatDateTime(due_at, '%F', timezone)) AS due_day
FROM (SELECT * EXCEPT version FROM report_states FINAL
      SETTINGS do_not_merge_across_partitions_select_final = 1) AS s
LEFT JOIN (SELECT day, source AS from_source, report_id, min(first_handled_at) AS first_handled_at, max(reopened) AS reopened
           FROM report_handling GROUP BY day, source, report_id) AS h
    ON s.day = h.day AND s.source = h.from_source AND s.report_id = h.report_id
LEFT JOIN (SELECT day, event_id, 1 AS bounded FROM closing_bounds GROUP BY day, event_id) AS b
    ON s.day = b.day AND s.event_id = b.event_id;

ALTER TABLE reports COMMENT COLUMN IF EXISTS reported_at 'shown in Asia/Shanghai; for hours of the city use local_time or local_hour';
ALTER TABLE reports COMMENT COLUMN IF EXISTS updated_at 'of the newest message; shown in Asia/Shanghai';
ALTER TABLE reports COMMENT COLUMN IF EXISTS due_at 'limit of the report; shown in Asia/Shanghai; the day in the city is due_day';
ALTER TABLE reports COMMENT COLUMN IF EXISTS day 'day of reported_at in the time zone of the city';
ALTER TABLE reports COMMENT COLUMN IF EXISTS handled '1 if resolved or closed now';
ALTER TABLE reports COMMENT COLUMN IF EXISTS handled_at 'first closing, of a reopened report the newest; NULL if open or if only a bound is known; shown in Asia/Shanghai';
ALTER TABLE reports COMMENT COLUMN IF EXISTS on_time '1 if handled by due_at, or as the source says; a reopened report by its newest closing';
ALTER TABLE reports COMMENT COLUMN IF EXISTS closing_time_bounded '1 if the source says only whether it was closed in time, and not when';
ALTER TABLE reports COMMENT COLUMN IF EXISTS timezone 'of the city; Asia/Shanghai if the city is not in the registry';
ALTER TABLE reports COMMENT COLUMN IF EXISTS local_time 'reported_at as a clock in the city shows it; do not convert it again';
ALTER TABLE reports COMMENT COLUMN IF EXISTS local_hour 'hour of local_time, 0 to 23';
ALTER TABLE reports COMMENT COLUMN IF EXISTS due_day 'day of due_at in the time zone of the city';

-- The limits of the reports of a day, whether they were kept, and on which days they fell.
ALTER TABLE rollup_daily ADD COLUMN IF NOT EXISTS
    due Array(Tuple(day Date, at DateTime64(0, 'Asia/Shanghai'), met UInt8)) CODEC(ZSTD)
    COMMENT 'of each report that is not rejected: local day and time of its limit; met = 1 if it was handled by then' AFTER open_due_at;
ALTER TABLE rollup_builds ADD COLUMN IF NOT EXISTS
    due_days Array(Date) COMMENT 'days on which limits of its reports fall, before or after this build' AFTER run_id;
ALTER TABLE rollup_builds ADD COLUMN IF NOT EXISTS
    version UInt16 COMMENT 'definition of the rollup; an older one is built again' AFTER due_days;

-- The rate that people are held to is about the reports whose limit fell into the period, open ones included.
ALTER TABLE mart_area_ranking ADD COLUMN IF NOT EXISTS
    due UInt64 COMMENT 'reports not rejected whose limit fell into the period, and before as_of' AFTER on_time;
ALTER TABLE mart_area_ranking ADD COLUMN IF NOT EXISTS
    closed_by_limit UInt64 COMMENT 'of due: handled by the limit, and not sent back since' AFTER due;
ALTER TABLE mart_area_ranking COMMENT COLUMN IF EXISTS on_time 'of reported: handled by the limit';
ALTER TABLE mart_area_ranking COMMENT COLUMN IF EXISTS on_time_rate 'closed_by_limit / due, 0 to 1';

CREATE OR REPLACE VIEW area_ranking AS
SELECT
    r.city_code AS city_code, c.area_zh AS city_zh, c.area_en AS city_en,
    r.period AS period, r.period_start AS period_start, r.period_end AS period_end, r.level AS level,
    r.area_code AS area_code, a.area_zh AS area_zh, a.area_en AS area_en,
    r.parent_code AS parent_code, p.area_zh AS parent_zh, p.area_en AS parent_en,
    r.reported AS reported, r.handled AS handled, r.on_time AS on_time, r.due AS due,
    r.closed_by_limit AS closed_by_limit, r.on_time_rate AS on_time_rate,
    r.reopened AS reopened, r.rejected AS rejected, r.overdue_open AS overdue_open,
    r.satisfaction_avg AS satisfaction_avg, r.median_handling_hours AS median_handling_hours,
    r.households AS households, r.per_1000_households AS per_1000_households, r.quality_score AS quality_score,
    r.rank_by_count AS rank_by_count, r.rank_by_on_time AS rank_by_on_time, r.rank_by_per_1000 AS rank_by_per_1000,
    r.as_of AS as_of
FROM mart_area_ranking AS r
LEFT JOIN areas AS a ON a.level = r.level AND a.area_code = r.area_code
LEFT JOIN (SELECT area_code, area_zh, area_en FROM areas WHERE level = 'city') AS c ON c.area_code = r.city_code
LEFT JOIN (SELECT level, area_code, area_zh, area_en FROM areas) AS p
    ON p.level = multiIf(r.level = 'grid', 'town', r.level = 'town', 'county', 'city') AND p.area_code = r.parent_code;

-- A rate is hidden if few were due, not if few were on time: the worst must be seen.
CREATE OR REPLACE VIEW published_area_ranking
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    r.city_code AS city_code, r.city_zh AS city_zh, r.city_en AS city_en,
    r.period AS period, r.period_start AS period_start, r.period_end AS period_end, r.level AS level,
    r.area_code AS area_code, r.area_zh AS area_zh, r.area_en AS area_en,
    r.parent_code AS parent_code, r.parent_zh AS parent_zh, r.parent_en AS parent_en,
    if(r.reported < 5, NULL, r.reported) AS reported,
    if(r.handled < 5, NULL, r.handled) AS handled,
    if(r.on_time < 5, NULL, r.on_time) AS on_time,
    if(r.due < 5, NULL, r.due) AS due,
    if(r.closed_by_limit < 5, NULL, r.closed_by_limit) AS closed_by_limit,
    if(r.due < 5, NULL, r.on_time_rate) AS on_time_rate,
    if(r.reopened < 5, NULL, r.reopened) AS reopened,
    if(r.rejected < 5, NULL, r.rejected) AS rejected,
    if(r.overdue_open < 5, NULL, r.overdue_open) AS overdue_open,
    if(r.handled < 5, NULL, r.satisfaction_avg) AS satisfaction_avg,
    if(r.handled < 5, NULL, r.median_handling_hours) AS median_handling_hours,
    r.households AS households,
    if(r.reported < 5, NULL, r.per_1000_households) AS per_1000_households,
    if(r.reported < 5, NULL, r.quality_score) AS quality_score,
    if(r.reported < 5, NULL, r.rank_by_count) AS rank_by_count,
    if(r.due < 5, NULL, r.rank_by_on_time) AS rank_by_on_time,
    if(r.reported < 5, NULL, r.rank_by_per_1000) AS rank_by_per_1000,
    r.reported < 5 AS suppressed,
    r.as_of AS as_of
FROM area_ranking AS r;

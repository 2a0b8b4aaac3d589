-- How well is reported: a scorecard a day for each city, source, county and town, beside the rankings.

-- The day that a rejected message is about, so that a backfill's rejects do not all fall on the day they arrived: its
-- reported_at where that can be read and is neither before 2000 nor later than the arrival, else the day of arrival.
-- Both in Asia/Shanghai.
ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS reported_day Date MATERIALIZED
    if(ifNull(toDate(parseDateTime64BestEffortOrNull(JSONExtractString(payload, 'reported_at'), 3, 'Asia/Shanghai'))
              BETWEEN toDate('2000-01-01') AND toDate(kafka_time), false),
       toDate(parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'reported_at'), 3, 'Asia/Shanghai')),
       toDate(kafka_time))
    COMMENT 'day of its reported_at, or of its arrival where that cannot be read or be right';

-- A day is touched by what was refused of it, too.
CREATE MATERIALIZED VIEW IF NOT EXISTS day_activity_from_quarantine TO day_activity AS
SELECT reported_day AS day, count() AS rows, now64(3, 'Asia/Shanghai') AS last_push_at
FROM quarantine
GROUP BY day;

-- One row is a day's reporting in a city, by one source, in one county or town. What each figure counts, and the formula
-- of the score: pipelines/marts/scorecard.sql.
CREATE TABLE IF NOT EXISTS mart_scorecard
(
    city_code        LowCardinality(String),
    day              Date,
    level            LowCardinality(String) COMMENT 'city, source, county or town',
    area_code        LowCardinality(String) COMMENT 'of the city, county or town; the name of the source',
    messages         UInt64 COMMENT 'accepted',
    quarantined      UInt64 COMMENT 'rejected, as far as they name a place; equal ones once',
    warned           UInt64 COMMENT 'of the accepted, those with a warning',
    suspected        UInt64 COMMENT 'of the accepted, those whose `suspect` is above 0.5',
    backfilled       UInt64 COMMENT 'of the accepted, those that a source caught up with; no part of timeliness',
    prompt           UInt64 COMMENT 'of the accepted, those that arrived within 15 minutes of updated_at, backfilled ones left out',
    lag_p50_seconds  Nullable(UInt32) COMMENT 'updated_at to arrival at Kafka, median; null when all were backfilled',
    lag_p95_seconds  Nullable(UInt32),
    reports          UInt64,
    located          UInt64 COMMENT 'reports with a location',
    coded            UInt64 COMMENT 'reports whose type a person or the source named',
    handled          UInt64 COMMENT 'reports resolved or closed',
    handler_named    UInt64 COMMENT 'of the handled, those that name who handled them',
    repeated         UInt64 COMMENT 'reports that say what an earlier one of the same grid and day said',
    completeness     Nullable(Float64) COMMENT '0 to 1, as the next four',
    validity         Nullable(Float64),
    timeliness       Nullable(Float64),
    duplicate_share  Nullable(Float64),
    suspect_share    Nullable(Float64),
    score            Float64 COMMENT '0 to 100, one decimal'
)
ENGINE = MergeTree
PARTITION BY day
ORDER BY (city_code, level, area_code);

-- The scorecards with names; engineers only, since small cells are shown.
CREATE VIEW IF NOT EXISTS scorecard AS
SELECT
    s.city_code AS city_code, s.day AS day, s.level AS level, s.area_code AS area_code,
    if(s.level = 'source', transform(s.area_code,
        ['grid_app', 'hotline', 'wechat', 'sensor', 'walk_in', 'forum', 'rental_desk', 'video_mediation', 'online_court', 'open311'],
        ['网格应用', '热线', '微信', '传感器', '来访', '论坛', '租房登记点', '视频调解', '在线法院', 'Open311'], s.area_code),
        a.area_zh) AS area_zh,
    if(s.level = 'source', replaceAll(s.area_code, '_', ' '), a.area_en) AS area_en,
    s.messages AS messages, s.quarantined AS quarantined, s.warned AS warned, s.suspected AS suspected,
    s.backfilled AS backfilled, s.prompt AS prompt, s.lag_p50_seconds AS lag_p50_seconds,
    s.lag_p95_seconds AS lag_p95_seconds, s.reports AS reports, s.located AS located, s.coded AS coded,
    s.handled AS handled, s.handler_named AS handler_named, s.repeated AS repeated, s.completeness AS completeness,
    s.validity AS validity, s.timeliness AS timeliness, s.duplicate_share AS duplicate_share,
    s.suspect_share AS suspect_share, s.score AS score
FROM mart_scorecard AS s
LEFT JOIN (SELECT level, area_code, area_zh, area_en FROM areas WHERE level != 'grid') AS a
    ON a.level = s.level AND a.area_code = s.area_code;

-- What analysts and the board read. A count below 5 is null; a row of fewer than 5 messages shows nothing but its name,
-- and shares of reports are null where there are fewer than 5 of them. Shares are rounded to hundredths: they speak of how
-- an office reports, and their numerators are no cells of reports.
CREATE VIEW IF NOT EXISTS published_scorecard
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    s.city_code AS city_code, s.day AS day, s.level AS level, s.area_code AS area_code, s.area_zh AS area_zh,
    s.area_en AS area_en, s.messages + s.quarantined < 5 AS suppressed,
    if(s.messages < 5, NULL, s.messages) AS messages,
    if(s.quarantined < 5, NULL, s.quarantined) AS quarantined,
    if(s.warned < 5, NULL, s.warned) AS warned,
    if(s.suspected < 5, NULL, s.suspected) AS suspected,
    if(s.backfilled < 5, NULL, s.backfilled) AS backfilled,
    if(s.messages - s.backfilled < 5, NULL, s.lag_p50_seconds) AS lag_p50_seconds,
    if(s.messages - s.backfilled < 5, NULL, s.lag_p95_seconds) AS lag_p95_seconds,
    if(s.reports < 5, NULL, s.reports) AS reports,
    if(s.reports < 5, NULL, round(s.completeness, 2)) AS completeness,
    if(suppressed, NULL, round(s.validity, 2)) AS validity,
    if(s.messages - s.backfilled < 5, NULL, round(s.timeliness, 2)) AS timeliness,
    if(s.reports < 5, NULL, round(s.duplicate_share, 2)) AS duplicate_share,
    if(s.messages < 5, NULL, round(s.suspect_share, 2)) AS suspect_share,
    if(suppressed, NULL, s.score) AS score
FROM scorecard AS s;

-- A ranking says how well the ranked area reports.
ALTER TABLE mart_area_ranking ADD COLUMN IF NOT EXISTS
    quality_score Nullable(Float64) COMMENT 'mean of the scorecards of its days, by messages; of a grid, its town''s' AFTER per_1000_households;

CREATE OR REPLACE VIEW area_ranking AS
SELECT
    r.city_code AS city_code, c.area_zh AS city_zh, c.area_en AS city_en,
    r.period AS period, r.period_start AS period_start, r.period_end AS period_end, r.level AS level,
    r.area_code AS area_code, a.area_zh AS area_zh, a.area_en AS area_en,
    r.parent_code AS parent_code, p.area_zh AS parent_zh, p.area_en AS parent_en,
    r.reported AS reported, r.handled AS handled, r.on_time AS on_time, r.on_time_rate AS on_time_rate,
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
    if(r.on_time < 5, NULL, r.on_time_rate) AS on_time_rate,
    if(r.reopened < 5, NULL, r.reopened) AS reopened,
    if(r.rejected < 5, NULL, r.rejected) AS rejected,
    if(r.overdue_open < 5, NULL, r.overdue_open) AS overdue_open,
    if(r.handled < 5, NULL, r.satisfaction_avg) AS satisfaction_avg,
    if(r.handled < 5, NULL, r.median_handling_hours) AS median_handling_hours,
    r.households AS households,
    if(r.reported < 5, NULL, r.per_1000_households) AS per_1000_households,
    if(r.reported < 5, NULL, r.quality_score) AS quality_score,
    if(r.reported < 5, NULL, r.rank_by_count) AS rank_by_count,
    if(r.on_time < 5, NULL, r.rank_by_on_time) AS rank_by_on_time,
    if(r.reported < 5, NULL, r.rank_by_per_1000) AS rank_by_per_1000,
    r.reported < 5 AS suppressed,
    r.as_of AS as_of
FROM area_ranking AS r;

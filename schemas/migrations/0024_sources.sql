-- The sources that may send messages, filled from schemas/sources.yaml: a new one needs no change of queries or views.
CREATE TABLE IF NOT EXISTS sources
(
    source     LowCardinality(String) COMMENT 'field `source` of a message',
    source_zh  String,
    source_en  String,
    loaded_at  DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY source;

-- The scorecards with names; engineers only, since small cells are shown.
CREATE OR REPLACE VIEW scorecard AS
SELECT
    s.city_code AS city_code, s.day AS day, s.level AS level, s.area_code AS area_code,
    if(s.level = 'source', o.source_zh, a.area_zh) AS area_zh, if(s.level = 'source', o.source_en, a.area_en) AS area_en,
    s.messages AS messages, s.quarantined AS quarantined, s.undated AS undated, s.warned AS warned,
    s.suspected AS suspected, s.backfilled AS backfilled, s.prompt AS prompt, s.lag_p50_seconds AS lag_p50_seconds,
    s.lag_p95_seconds AS lag_p95_seconds, s.reports AS reports, s.located AS located, s.coded AS coded,
    s.handled AS handled, s.handler_named AS handler_named, s.repeated AS repeated, s.completeness AS completeness,
    s.validity AS validity, s.timeliness AS timeliness, s.duplicate_share AS duplicate_share,
    s.suspect_share AS suspect_share, s.score AS score
FROM mart_scorecard AS s
LEFT JOIN (SELECT level, area_code, area_zh, area_en FROM areas WHERE level != 'grid') AS a
    ON a.level = s.level AND a.area_code = s.area_code
LEFT JOIN (SELECT source, source_zh, source_en FROM sources FINAL) AS o ON o.source = s.area_code;

ALTER TABLE scorecard COMMENT COLUMN IF EXISTS quarantined 'rejected messages that name the day and a place; equal ones once';
ALTER TABLE scorecard COMMENT COLUMN IF EXISTS undated 'rejected messages that arrived on the day and name no day; equal ones once; only of cities and sources; no part of the score';
ALTER TABLE scorecard COMMENT COLUMN IF EXISTS score '0 to 100; null if nothing but undated messages is known';

-- The scorecards also read the sources.
CREATE OR REPLACE VIEW build_inputs AS
SELECT name, sum(cityHash64(row)) AS digest
FROM
(
    -- Days of limits. A city that is not in the registry has the time of Shanghai (view reports), so one that is added
    -- with it changes nothing.
    SELECT 'rollup' AS name, toString((city_code, timezone)) AS row
    FROM cities FINAL WHERE timezone NOT IN ('', 'Asia/Shanghai')
    UNION ALL
    SELECT 'area_ranking',
           toString((city_code, county_code, town_code, grid_code, households, valid_from, valid_to))
    FROM grids FINAL
    UNION ALL
    SELECT 'scorecard', toString(('city', city_code)) FROM cities FINAL
    UNION ALL
    SELECT 'scorecard', toString(('county', county_code, city_code)) FROM counties FINAL
    UNION ALL
    SELECT 'scorecard', toString(('town', town_code)) FROM towns FINAL
    UNION ALL
    SELECT 'scorecard', toString(('source', source)) FROM sources FINAL
    UNION ALL
    -- What happened before could not be reported in time. Earlier, once a partition with older messages is loaded.
    SELECT 'scorecard', toString(('began', min(first_kafka_time))) FROM ledger
)
GROUP BY name;

-- The marts: small tables built from `rollup_daily`, one partition at a time, each swapped as a whole.
-- How a figure is reckoned, and the reports behind it, stand in pipelines/marts/<name>.sql.

-- One row is an area in a period. Ranks hold within one city and level; equal values share a rank
-- (1, 1, 3); areas without a value come last.
CREATE TABLE IF NOT EXISTS mart_area_ranking
(
    city_code               LowCardinality(String),
    period                  LowCardinality(String) COMMENT 'day, week (from Monday, ISO 8601) or month',
    period_start            Date,
    period_end              Date COMMENT 'last day of the period',
    level                   LowCardinality(String) COMMENT 'county, town or grid',
    area_code               LowCardinality(String),
    parent_code             LowCardinality(String) COMMENT 'city of a county, county of a town, town of a grid',
    reported                UInt64,
    handled                 UInt64,
    on_time                 UInt64,
    on_time_rate            Nullable(Float64) COMMENT 'on_time / handled, 0 to 1',
    reopened                UInt64,
    rejected                UInt64,
    overdue_open            UInt64 COMMENT 'neither handled nor rejected, due_at before as_of',
    satisfaction_avg        Nullable(Float64) COMMENT '1 to 5',
    median_handling_hours   Nullable(Float64),
    households              Nullable(UInt64) COMMENT 'null when unknown for any grid of the area',
    per_1000_households     Nullable(Float64),
    rank_by_count           UInt32 COMMENT '1 = most reports',
    rank_by_on_time         UInt32 COMMENT '1 = highest on_time_rate',
    rank_by_per_1000        UInt32 COMMENT '1 = most reports per household',
    as_of                   DateTime('Asia/Shanghai')
)
ENGINE = MergeTree
PARTITION BY (period, period_start)
ORDER BY (city_code, level, area_code);

-- One row is a county, day and event type: the series behind trends.
CREATE TABLE IF NOT EXISTS mart_daily_series
(
    city_code    LowCardinality(String),
    day          Date,
    county_code  LowCardinality(String),
    event_type   UInt16,
    reported     UInt64,
    handled      UInt64,
    on_time      UInt64,
    reopened     UInt64,
    rejected     UInt64
)
ENGINE = MergeTree
PARTITION BY day
ORDER BY (city_code, county_code, event_type);

-- One row is an event type in a city or county, judged by the recent_days that end with `day`.
CREATE TABLE IF NOT EXISTS mart_rising_types
(
    city_code    LowCardinality(String),
    day          Date,
    level        LowCardinality(String) COMMENT 'city or county',
    area_code    LowCardinality(String),
    event_type   UInt16,
    recent       UInt64 COMMENT 'reports of the recent_days up to and including day',
    previous     UInt64 COMMENT 'of as many days just before those',
    recent_days  UInt8 COMMENT '7, or 1 to 3 while the city has been observed for less than 14 days',
    base         UInt64 COMMENT 'of the base_days before the recent ones',
    base_days    UInt8 COMMENT '28, or what there is while the city is new; 0 on its first day',
    expected     Nullable(Float64) COMMENT 'base * recent_days / base_days',
    ratio        Nullable(Float64) COMMENT 'recent / expected',
    dispersion   Float64 COMMENT 'variance / mean of the base in blocks of recent_days, at least 1',
    z            Nullable(Float64) COMMENT 'how surprising, in standard deviations; null without a base',
    rank         UInt32 COMMENT 'within the area, 1 = largest z, null last'
)
ENGINE = MergeTree
PARTITION BY day
ORDER BY (city_code, level, area_code, rank, event_type);

-- One row is a finished build of a mart's partition. `seen` is how many builds of its days there
-- had been in rollup_builds (rising types: of the daily series, here): with more, it is stale.
CREATE TABLE IF NOT EXISTS mart_builds
(
    mart          LowCardinality(String),
    period        LowCardinality(String),
    period_start  Date,
    seen          UInt64,
    rows          UInt32,
    seconds       Float32,
    run_id        String,
    as_of         DateTime('Asia/Shanghai'),
    built_at      DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (mart, period, period_start, built_at);

-- Every area under one code, for names.
CREATE VIEW IF NOT EXISTS areas AS
SELECT 'city' AS level, city_code AS area_code, zh AS area_zh, en AS area_en FROM cities FINAL
UNION ALL
SELECT 'county', county_code, zh, en FROM counties FINAL
UNION ALL
SELECT 'town', town_code, zh, en FROM towns FINAL
UNION ALL
SELECT 'grid', grid_code, zh, en FROM grids FINAL;

-- The rankings with names; engineers only, since small cells are shown.
CREATE VIEW IF NOT EXISTS area_ranking AS
SELECT
    r.city_code AS city_code, c.area_zh AS city_zh, c.area_en AS city_en,
    r.period AS period, r.period_start AS period_start, r.period_end AS period_end, r.level AS level,
    r.area_code AS area_code, a.area_zh AS area_zh, a.area_en AS area_en,
    r.parent_code AS parent_code, p.area_zh AS parent_zh, p.area_en AS parent_en,
    r.reported AS reported, r.handled AS handled, r.on_time AS on_time, r.on_time_rate AS on_time_rate,
    r.reopened AS reopened, r.rejected AS rejected, r.overdue_open AS overdue_open,
    r.satisfaction_avg AS satisfaction_avg, r.median_handling_hours AS median_handling_hours,
    r.households AS households, r.per_1000_households AS per_1000_households,
    r.rank_by_count AS rank_by_count, r.rank_by_on_time AS rank_by_on_time, r.rank_by_per_1000 AS rank_by_per_1000,
    r.as_of AS as_of
FROM mart_area_ranking AS r
LEFT JOIN areas AS a ON a.level = r.level AND a.area_code = r.area_code
LEFT JOIN (SELECT area_code, area_zh, area_en FROM areas WHERE level = 'city') AS c ON c.area_code = r.city_code
LEFT JOIN (SELECT level, area_code, area_zh, area_en FROM areas) AS p
    ON p.level = multiIf(r.level = 'grid', 'town', r.level = 'town', 'county', 'city') AND p.area_code = r.parent_code;

CREATE VIEW IF NOT EXISTS daily_series AS
SELECT
    s.city_code AS city_code, s.day AS day, s.county_code AS county_code, c.zh AS county_zh, c.en AS county_en,
    s.event_type AS event_type, t.zh AS type_zh, t.en AS type_en, t.group_zh AS group_zh, t.group_en AS group_en,
    s.reported AS reported, s.handled AS handled, s.on_time AS on_time, s.reopened AS reopened, s.rejected AS rejected
FROM mart_daily_series AS s
LEFT JOIN (SELECT county_code, zh, en FROM counties FINAL) AS c ON c.county_code = s.county_code
LEFT JOIN (SELECT event_type, zh, en, group_zh, group_en FROM event_types FINAL) AS t ON t.event_type = s.event_type;

CREATE VIEW IF NOT EXISTS rising_types AS
SELECT
    m.city_code AS city_code, m.day AS day, m.level AS level, m.area_code AS area_code,
    a.area_zh AS area_zh, a.area_en AS area_en, m.event_type AS event_type, t.zh AS type_zh, t.en AS type_en,
    m.recent AS recent, m.previous AS previous, m.recent_days AS recent_days, m.base AS base, m.base_days AS base_days,
    m.expected AS expected, m.ratio AS ratio, m.dispersion AS dispersion, m.z AS z, m.rank AS rank
FROM mart_rising_types AS m
LEFT JOIN (SELECT level, area_code, area_zh, area_en FROM areas) AS a ON a.level = m.level AND a.area_code = m.area_code
LEFT JOIN (SELECT event_type, zh, en FROM event_types FINAL) AS t ON t.event_type = m.event_type;

-- What analysts and the board read. A count below 5 is null, and so is every figure reckoned from
-- one (the threshold rule of official statistics). There is no secondary suppression: a small cell
-- can be bounded from its neighbours and their sum. Views run with their owner's rights.
CREATE VIEW IF NOT EXISTS published_area_ranking
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
    if(r.reported < 5, NULL, r.rank_by_count) AS rank_by_count,
    if(r.on_time < 5, NULL, r.rank_by_on_time) AS rank_by_on_time,
    if(r.reported < 5, NULL, r.rank_by_per_1000) AS rank_by_per_1000,
    r.reported < 5 AS suppressed,
    r.as_of AS as_of
FROM area_ranking AS r;

CREATE VIEW IF NOT EXISTS published_daily_series
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    s.city_code AS city_code, s.day AS day, s.county_code AS county_code, s.county_zh AS county_zh,
    s.county_en AS county_en, s.event_type AS event_type, s.type_zh AS type_zh, s.type_en AS type_en,
    s.group_zh AS group_zh, s.group_en AS group_en,
    if(s.reported < 5, NULL, s.reported) AS reported,
    if(s.handled < 5, NULL, s.handled) AS handled,
    if(s.on_time < 5, NULL, s.on_time) AS on_time,
    if(s.reopened < 5, NULL, s.reopened) AS reopened,
    if(s.rejected < 5, NULL, s.rejected) AS rejected,
    s.reported < 5 AS suppressed
FROM daily_series AS s;

-- `z` and `rank` stay where only the base is small: a type that comes out of nothing is the very
-- one to be seen. An exact z would give such a base away, so z is then a lower bound in whole
-- numbers, at most 3. The rank is the true one: it places z, and so the base, between those of the
-- neighbours in the list. That much is told on purpose.
CREATE VIEW IF NOT EXISTS published_rising_types
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    m.city_code AS city_code, m.day AS day, m.level AS level, m.area_code AS area_code, m.area_zh AS area_zh,
    m.area_en AS area_en, m.event_type AS event_type, m.type_zh AS type_zh, m.type_en AS type_en,
    if(m.recent < 5, NULL, m.recent) AS recent,
    if(m.previous < 5, NULL, m.previous) AS previous,
    m.recent_days AS recent_days,
    if(m.base < 5, NULL, m.base) AS base,
    m.base_days AS base_days,
    if(m.base < 5, NULL, m.expected) AS expected,
    if(m.base < 5 OR m.recent < 5, NULL, m.ratio) AS ratio,
    multiIf(m.recent < 5, NULL, m.base < 5, least(3., floor(m.z)), round(m.z, 1)) AS z,
    if(m.recent < 5, NULL, m.rank) AS rank,
    m.recent < 5 AS suppressed
FROM rising_types AS m;

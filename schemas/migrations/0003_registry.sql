-- Dimensions: the registry of areas and the taxonomy, filled from schemas/registry and
-- schemas/event_types.yaml by `gridstream migrate`. A changed row is inserted again and the newest
-- wins, a row that left the files is inserted with is_deleted = 1: read with FINAL.
-- A null figure is one that nobody knows; valid_to is the last valid day, null when there is none.

CREATE TABLE IF NOT EXISTS cities
(
    city_code        LowCardinality(String),
    zh               String,
    en               String,
    timezone         LowCardinality(String) COMMENT 'IANA name; `day` of the facts is reckoned in it',
    valid_from       Date,
    valid_to         Nullable(Date),
    loaded_at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted       UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY city_code;

CREATE TABLE IF NOT EXISTS counties
(
    county_code      LowCardinality(String),
    city_code        LowCardinality(String),
    zh               String,
    en               String,
    valid_from       Date,
    valid_to         Nullable(Date),
    loaded_at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted       UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY county_code;

CREATE TABLE IF NOT EXISTS towns
(
    town_code        LowCardinality(String),
    county_code      LowCardinality(String),
    city_code        LowCardinality(String),
    zh               String,
    en               String,
    kind             LowCardinality(String) COMMENT 'street, town, township, neighbourhood or unknown',
    valid_from       Date,
    valid_to         Nullable(Date),
    source_id        Nullable(String) COMMENT 'code in the source, where it has one',
    loaded_at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted       UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY town_code;

CREATE TABLE IF NOT EXISTS grids
(
    grid_code        LowCardinality(String),
    town_code        LowCardinality(String),
    county_code      LowCardinality(String),
    city_code        LowCardinality(String),
    zh               String,
    en               String,
    households       Nullable(UInt32),
    migrants         Nullable(UInt32) COMMENT 'residents registered elsewhere',
    party_members    Nullable(UInt32),
    shops            Nullable(UInt32),
    valid_from       Date,
    valid_to         Nullable(Date),
    source_id        Nullable(String) COMMENT 'code in the source, where it has one',
    aliases          Array(String) COMMENT 'other spellings in the source',
    loaded_at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted       UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY grid_code;

CREATE TABLE IF NOT EXISTS event_types
(
    event_type       UInt16,
    group_zh         LowCardinality(String),
    group_en         LowCardinality(String),
    zh               String,
    en               String,
    covers           String,
    limit_hours      UInt16 COMMENT 'handling limit in calendar hours from reported_at',
    severity         UInt8 COMMENT 'default, 1 routine to 4 immediate danger',
    loaded_at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted       UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY event_type;

-- What people join: one row a grid, with the names of everything it lies in.
CREATE VIEW IF NOT EXISTS grid_directory AS
SELECT
    g.grid_code AS grid_code, g.zh AS grid_zh, g.en AS grid_en,
    g.town_code AS town_code, t.zh AS town_zh, t.en AS town_en, t.kind AS town_kind,
    g.county_code AS county_code, d.zh AS county_zh, d.en AS county_en,
    g.city_code AS city_code, c.zh AS city_zh, c.en AS city_en, c.timezone AS timezone,
    g.households AS households, g.migrants AS migrants, g.party_members AS party_members, g.shops AS shops,
    g.valid_from AS valid_from, g.valid_to AS valid_to
FROM (SELECT * FROM grids FINAL) AS g
INNER JOIN (SELECT town_code, zh, en, kind FROM towns FINAL) AS t ON g.town_code = t.town_code
INNER JOIN (SELECT county_code, zh, en FROM counties FINAL) AS d ON g.county_code = d.county_code
INNER JOIN (SELECT city_code, zh, en, timezone FROM cities FINAL) AS c ON g.city_code = c.city_code;

-- The rollup and some marts read more than their days: the registry of areas, the sources, and when the load began. A change
-- of these makes them stale, as a change of their days does.

ALTER TABLE mart_builds ADD COLUMN IF NOT EXISTS
    inputs UInt64 COMMENT 'build_inputs.digest before the build; another digest makes it stale; 0 if it reads only its days, or in builds from before it was stored'
    AFTER seen;
ALTER TABLE rollup_builds ADD COLUMN IF NOT EXISTS
    inputs UInt64 COMMENT 'build_inputs.digest before the build; another digest makes it stale' AFTER version;

-- What the rollup and each mart read beside their days, as a digest that depends on the rows and not on when they were
-- loaded. Whatever else a build.sql or rollup.sql comes to read is added here. Marts that read only their days are not
-- listed. Names of areas are joined by views. toString writes NULL as NULL: a hash of a NULL would be NULL.
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

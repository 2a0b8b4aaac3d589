-- Which event types rise in a city or county: the last 7 days against the 4 weeks before them.
--
-- z compares two Poisson rates, x = last_7 in 7 days and y = base in base_days, r = 7 / base_days:
--     z = 2 (sqrt(x + 3/8) - sqrt(r (y + 3/8))) / sqrt(dispersion * (1 + r))
-- Square roots keep small counts honest (0 against 1 is no surprise) and allow zeros: Huffman,
-- "An improved approximate two-sample Poisson test", Applied Statistics 33 (1984) 224-226.
-- Reports come in bunches, so counts vary more than Poisson's; `dispersion` = max(1, sample variance
-- / mean of the weekly base counts) widens the yardstick, as in Farrington et al., "A statistical
-- algorithm for the early detection of outbreaks", J. R. Statist. Soc. A 159 (1996) 547-563.
-- A z above 2 happens by chance about once in 40, and 33 types are looked at: read it with the ratio.
-- Whole weeks on both sides, so weekdays weigh the same. The base is shorter while a city is new.
--
-- The reports behind a row: drill/rising_types.sql.
WITH
    counts AS
    (
        SELECT city_code, county_code, event_type, day, intDiv({first:Date} - day, 7) AS weeks_ago, sum(d.reported) AS reported
        FROM mart_daily_series AS d
        WHERE day BETWEEN {first:Date} - 34 AND {first:Date}
        GROUP BY city_code, county_code, event_type, day
    ),
    history AS
    (
        SELECT city_code, toUInt8(least(4, greatest(0, intDiv({first:Date} - 6 - min(day), 7)))) AS base_weeks
        FROM counts GROUP BY city_code
    ),
    levels AS
    (
        SELECT city_code, area.1 AS level, area.2 AS area_code, event_type, weeks_ago, reported
        FROM counts ARRAY JOIN [('city', city_code), ('county', county_code)] AS area
    ),
    weeks AS
    (
        SELECT
            city_code, level, area_code, event_type, any(h.base_weeks) AS base_weeks,
            arrayMap(w -> sumMap(map(weeks_ago, reported))[w], range(0, 5)) AS by_week
        FROM levels INNER JOIN history AS h USING (city_code)
        GROUP BY city_code, level, area_code, event_type
    ),
    figures AS
    (
        SELECT
            city_code, level, area_code, event_type, by_week[1] AS last_7, by_week[2] AS previous_7,
            arraySlice(by_week, 2, base_weeks) AS base_by_week, toUInt64(arraySum(base_by_week)) AS base,
            toUInt8(7 * base_weeks) AS base_days, 7 / base_days AS r,
            if(base_days = 0, NULL, base / base_weeks) AS expected,
            if(expected > 0, last_7 / expected, NULL) AS ratio,
            if(base_weeks < 2 OR base = 0, 1., greatest(1., arrayReduce('varSamp', base_by_week) / expected)) AS dispersion,
            if(base_days = 0, NULL, 2 * (sqrt(last_7 + 0.375) - sqrt(r * (base + 0.375))) / sqrt(dispersion * (1 + r))) AS z
        FROM weeks
        WHERE last_7 + base > 0
    )
SELECT
    city_code, {first:Date} AS day, level, area_code, event_type, last_7, previous_7, base, base_days, expected, ratio,
    ifNull(dispersion, 1.) AS dispersion, z,
    rank() OVER (PARTITION BY city_code, level, area_code ORDER BY z DESC NULLS LAST) AS rank
FROM figures

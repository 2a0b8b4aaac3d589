-- Event types that rise in a city or county: the last 7 days against the 4 weeks before them.
--
-- z compares two Poisson rates, x = recent in recent_days and y = base in base_days,
-- r = recent_days / base_days:
--     z = 2 (sqrt(x + 3/8) - sqrt(r (y + 3/8))) / sqrt(dispersion * (1 + r))
-- Square roots keep small counts from looking significant (0 against 1 does not) and allow zeros: Huffman,
-- "An improved approximate two-sample Poisson test", Applied Statistics 33 (1984) 224-226.
-- Reports arrive in clusters, so counts vary more than Poisson counts; `dispersion` = max(1, sample variance
-- / mean of the base, counted in blocks of recent_days) widens the scale, as in Farrington et al.,
-- "A statistical algorithm for the early detection of outbreaks", J. R. Statist. Soc. A 159 (1996)
-- 547-563. A single block has no variance; the dispersion is 1 then.
-- A z above 2 happens by chance about once in 40, and there are 33 types: read it together with the ratio.
--
-- A city is observed from the first of the 35 days that end with `day` on which it has at least a tenth of the reports
-- of its usual day: a few stray reports dated weeks ago do not count as history. The usual day is the day of the
-- median report (days ordered by size). Unlike the median day it ignores strays, on however many days; unlike the
-- busiest day it ignores a spike, unless that has more reports than all other days together. With N observed days:
--   N >= 14  7 days against up to 4 whole weeks, so weekdays have the same weight on both sides;
--   N < 14   half of the days, 1 to 3, against the rest. These are not whole weeks: weekdays have unequal weight, and
--            a type of working days may seem to rise after a weekend;
--   N = 1    nothing to compare with: z is null and ranks last.
--
-- The reports behind a row: drill.sql.
WITH
    counts AS
    (
        SELECT city_code, county_code, event_type, {first:Date} - day AS days_ago, sum(d.reported) AS reported
        FROM mart_daily_series AS d
        WHERE day BETWEEN {first:Date} - 34 AND {first:Date}
        GROUP BY city_code, county_code, event_type, days_ago
    ),
    days AS
    (
        SELECT city_code, days_ago, sum(c.reported) AS reported FROM counts AS c GROUP BY city_code, days_ago
    ),
    windows AS
    (
        SELECT
            city_code, max(days_ago) + 1 AS observed,
            toUInt8(if(observed >= 14, 7, greatest(1, least(3, intDiv(observed, 2))))) AS recent_days,
            toUInt8(if(observed >= 14, 7 * least(4, intDiv(observed - 7, 7)), observed - recent_days)) AS base_days
        FROM (SELECT *, quantileExactWeighted(0.5)(reported, reported) OVER (PARTITION BY city_code) AS usual FROM days)
        WHERE 10 * reported >= usual
        GROUP BY city_code
    ),
    levels AS
    (
        SELECT city_code, area.1 AS level, area.2 AS area_code, event_type, days_ago, reported
        FROM counts ARRAY JOIN [('city', city_code), ('county', county_code)] AS area
    ),
    series AS
    (
        SELECT
            city_code, level, area_code, event_type, any(w.recent_days) AS recent_days, any(w.base_days) AS base_days,
            arrayMap(ago -> sumMap(map(days_ago, reported))[ago], range(35)) AS by_day
        FROM levels INNER JOIN windows AS w USING (city_code)
        GROUP BY city_code, level, area_code, event_type
    ),
    figures AS
    (
        SELECT
            city_code, level, area_code, event_type, recent_days, base_days,
            arraySum(arraySlice(by_day, 1, recent_days)) AS recent,
            arraySum(arraySlice(by_day, 1 + recent_days, recent_days)) AS previous,
            arraySum(arraySlice(by_day, 1 + recent_days, base_days)) AS base,
            arrayMap(block -> arraySum(arraySlice(by_day, 1 + block * recent_days, recent_days)),
                     range(1, 1 + intDiv(base_days, recent_days))) AS blocks,
            recent_days / nullIf(base_days, 0) AS r,
            base * recent_days / nullIf(base_days, 0) AS expected,
            if(expected > 0, recent / expected, NULL) AS ratio,
            if(length(blocks) < 2 OR arraySum(blocks) = 0, 1.,
               greatest(1., arrayReduce('varSamp', blocks) / arrayAvg(blocks))) AS dispersion,
            2 * (sqrt(recent + 0.375) - sqrt(r * (base + 0.375))) / sqrt(dispersion * (1 + r)) AS z
        FROM series
        WHERE recent + base > 0
    )
SELECT
    city_code, {first:Date} AS day, level, area_code, event_type, recent, previous, recent_days, base, base_days, expected,
    ratio, dispersion, z,
    rank() OVER (PARTITION BY city_code, level, area_code ORDER BY z DESC NULLS LAST) AS rank
FROM figures

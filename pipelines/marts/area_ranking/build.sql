-- Counties, towns and grids of each city in a period, counted and ranked.
--
-- An area is listed if it is registered on the last day of the period, or has reports: a grid without reports is
-- worth showing, too. Only cities with reports in the period are listed.
-- on_time_rate = closed_by_limit / due: of the reports whose limit fell into the period (before as_of), whenever they were
-- reported, the share handled by the limit and not sent back since. Open reports past their limit count as late, rejected
-- reports do not count. All other figures are about the reports that were reported in the period.
-- The median is the middle value, or the mean of the middle two, of the reports whose time of closing is known.
-- quality_score is the mean of the scores of the days of the period (mart_scorecard), weighted by the messages that
-- arrived, accepted or not. A grid has too few messages for a score of its own and gets that of its town. The score does
-- not change a rank; it says how far the rank can be trusted: an area that hides late cases by reporting badly ranks
-- high and has a low score.
-- The reports behind a row: drill.sql.
WITH
    with_reports AS
    (
        SELECT
            city_code, county_code, town_code, grid_code,
            sum(d.reported) AS reported, sum(d.handled) AS handled, sum(d.on_time) AS on_time,
            sum(d.reopened) AS reopened, sum(d.rejected) AS rejected,
            sum(arrayCount(due_at -> due_at < {as_of:DateTime('Asia/Shanghai')}, d.open_due_at)) AS overdue_open,
            sum(d.satisfaction_sum) AS satisfaction_sum, sum(d.satisfaction_count) AS satisfaction_count,
            groupArrayArray(d.handling_minutes) AS handling_minutes, toUInt64(0) AS due, toUInt64(0) AS closed_by_limit,
            toUInt64(0) AS households, toUInt64(0) AS unknown_households, toUInt64(0) AS registered
        FROM rollup_daily AS d
        WHERE day BETWEEN {first:Date} AND {last:Date}
        GROUP BY city_code, county_code, town_code, grid_code
    ),
    with_limits AS
    (
        SELECT
            city_code, county_code, town_code, grid_code,
            toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0),
            []::Array(UInt32),
            sum(arrayCount(limit -> limit.day BETWEEN {first:Date} AND {last:Date} AND limit.at < {as_of:DateTime('Asia/Shanghai')}, d.due)) AS due_in_period,
            sum(arrayCount(limit -> limit.day BETWEEN {first:Date} AND {last:Date} AND limit.at < {as_of:DateTime('Asia/Shanghai')}
                                    AND limit.met = 1, d.due)),
            toUInt64(0), toUInt64(0), toUInt64(0)
        FROM rollup_daily AS d
        WHERE day IN (SELECT b.day FROM rollup_builds AS b
                      WHERE arrayExists(due_day -> due_day BETWEEN {first:Date} AND {last:Date}, b.due_days))
          AND city_code IN (SELECT city_code FROM with_reports)
        GROUP BY city_code, county_code, town_code, grid_code
        HAVING due_in_period > 0
    ),
    registry AS
    (
        SELECT
            city_code, county_code, town_code, grid_code,
            toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0),
            []::Array(UInt32), toUInt64(0), toUInt64(0),
            toUInt64(ifNull(g.households, 0)), toUInt64(isNull(g.households)), toUInt64(1)
        FROM grids AS g FINAL
        WHERE valid_from <= {last:Date} AND ifNull(valid_to >= {last:Date}, true)
          AND city_code IN (SELECT city_code FROM with_reports)
    ),
    levels AS
    (
        SELECT *, area.1 AS level, area.2 AS area_code, area.3 AS parent_code
        FROM (SELECT * FROM with_reports UNION ALL SELECT * FROM with_limits UNION ALL SELECT * FROM registry)
        ARRAY JOIN [('county', county_code, city_code), ('town', town_code, county_code), ('grid', grid_code, town_code)] AS area
    ),
    figures AS
    (
        SELECT
            city_code, level, area_code, parent_code,
            sum(l.reported) AS reported, sum(l.handled) AS handled, sum(l.on_time) AS on_time,
            sum(l.due) AS due, sum(l.closed_by_limit) AS closed_by_limit,
            if(due = 0, NULL, closed_by_limit / due) AS on_time_rate,
            sum(l.reopened) AS reopened, sum(l.rejected) AS rejected, sum(l.overdue_open) AS overdue_open,
            if(sum(satisfaction_count) = 0, NULL, sum(satisfaction_sum) / sum(satisfaction_count)) AS satisfaction_avg,
            if(sum(length(l.handling_minutes)) = 0, NULL, quantileExactInclusiveArray(0.5)(handling_minutes) / 60) AS median_handling_hours,
            if(sum(registered) = 0 OR sum(unknown_households) > 0, NULL, sum(l.households)) AS households,
            if(households > 0, 1000 * reported / households, NULL) AS per_1000_households
        FROM levels AS l
        GROUP BY city_code, level, area_code, parent_code
    ),
    quality AS
    (
        -- Tenths as whole numbers, so that the sum does not depend on the order of the rows.
        SELECT
            city_code, level AS scored_level, area_code AS scored_area,
            toNullable(round(sum(toUInt64(round(10 * score)) * (messages + quarantined)) / sum(messages + quarantined) / 10, 1))
                AS quality_score
        FROM mart_scorecard
        WHERE day BETWEEN {first:Date} AND {last:Date} AND level IN ('county', 'town')
        GROUP BY city_code, level, area_code
    )
SELECT
    figures.city_code AS city_code, {period:String} AS period, {first:Date} AS period_start, {last:Date} AS period_end,
    level, area_code, parent_code, reported, handled, on_time, due, closed_by_limit, on_time_rate, reopened, rejected, overdue_open,
    satisfaction_avg, median_handling_hours, households, per_1000_households, quality_score,
    rank() OVER (PARTITION BY figures.city_code, level ORDER BY reported DESC) AS rank_by_count,
    rank() OVER (PARTITION BY figures.city_code, level ORDER BY on_time_rate DESC NULLS LAST) AS rank_by_on_time,
    rank() OVER (PARTITION BY figures.city_code, level ORDER BY per_1000_households DESC NULLS LAST) AS rank_by_per_1000,
    {as_of:DateTime('Asia/Shanghai')} AS as_of
FROM figures
LEFT JOIN quality
    ON quality.city_code = figures.city_code AND scored_level = if(level = 'grid', 'town', level)
    AND scored_area = if(level = 'grid', parent_code, area_code)

-- How well is reported on a day: in each city, by each of its sources, in each county and town.
--
-- The day is that of the report, for its messages, too. A rejected message counts on the day that it names
-- (quarantine.reported_day), if it names a known town, county or city by grid_code or by its key, which is also a grid
-- code. One that names no day (quarantine.undated) is about a day that nobody knows, often one of a backfill: it counts as
-- `undated` of its source and city on the day of its arrival, and in no score. Equal rejected messages count once; where the
-- hash was removed by a migration (zeros), the masked payloads are compared.
--
--   validity      (messages - warned / 2) / (messages + quarantined): a rejected message is lost, one with a warning half
--   completeness  (located + coded + handler_named) / (2 * reports + handled): a report should have a location and a type
--                 that a person or the source named and, once it is handled, the name of the handler. Whether a limit
--                 was given is not known afterwards (due_at is always stored); satisfaction is up to the citizen.
--   timeliness    prompt / (messages - backfilled): arrived in Kafka within 15 minutes of updated_at. Of a message that
--                 was sent again, the last arrival counts.
--   duplicate_share  repeated / reports: the text equals that of an earlier report of the same grid and day, in lower
--                 case and without anything but letters and digits. Resends of a message are not counted as errors:
--                 they merge away.
--   suspect_share suspected / messages
--
--   score = 100 * (0.30 validity + 0.25 completeness + 0.25 timeliness + 0.10 (1 - duplicate_share)
--                  + 0.10 (1 - suspect_share))
-- A part that is unknown is left out with its weight, and the other weights are scaled to 100. A source of which nothing
-- but undated messages is known has no score.
--
-- Backfills: what happened before the first message of all arrived (ledger.first_kafka_time) could not be reported in
-- time. If more than half of the messages of a source in a city arrived more than a day late, the source itself was
-- catching up (it was connected later, or an outage was repaired). The late messages of the first kind, and those more
-- than a day late of the second, count as `backfilled` and are left out of timeliness. In all other cases a late message
-- counts as late: a single town cannot declare itself a backfill.
--
-- The messages behind a row: drill.sql.
WITH
    (SELECT mapFromArrays(groupArray(toString(county_code)), groupArray(toString(city_code))) FROM counties FINAL) AS city_of,
    (SELECT groupArray(toString(city_code)) FROM cities FINAL) AS known_cities,
    (SELECT groupArray(toString(town_code)) FROM towns FINAL) AS known_towns,
    (SELECT min(first_kafka_time) FROM ledger) AS began,
    accepted AS
    (
        SELECT
            city_code, county_code, town_code, source, count() AS messages, countIf(notEmpty(e.warnings)) AS warned,
            countIf(e.suspect > 0.5) AS suspected,
            groupArray((toUInt32(greatest(0, dateDiff('second', e.updated_at, e.kafka_time))), e.updated_at < began)) AS lags
        FROM events AS e FINAL
        WHERE day = {first:Date}
        GROUP BY city_code, county_code, town_code, source
    ),
    timed AS
    (
        SELECT
            city_code, county_code, town_code, source, messages, warned, suspected,
            2 * sum(arrayCount(lag -> lag.1 > 86400, lags)) OVER (PARTITION BY city_code, source)
                > sum(messages) OVER (PARTITION BY city_code, source) AS catching_up,
            arrayFilter(lag -> NOT (catching_up AND lag.1 > 86400 OR lag.2 AND lag.1 > 900), lags).1 AS live_lags
        FROM accepted
    ),
    refused AS
    (
        SELECT
            if(q.grid_code != '', q.grid_code, q.message_key) AS grid,
            multiIf(city_of[left(grid, 6)] != '', city_of[left(grid, 6)],
                    has(known_cities, concat(left(grid, 4), '00')), concat(left(grid, 4), '00'), '') AS city,
            if(city_of[left(grid, 6)] != '', left(grid, 6), '') AS county,
            if(has(known_towns, left(grid, 9)), left(grid, 9), '') AS town,
            if(q.source IN (SELECT n.source FROM sources AS n FINAL), q.source, '') AS channel,
            undated, uniqExact(if(q.payload_sha256 = repeat('0', 64), (q.payload, q.payload_bytes), (q.payload_sha256, 0))) AS refusals
        FROM quarantine AS q
        WHERE reported_day = {first:Date} AND city != ''
        GROUP BY grid, city, county, town, channel, undated
    ),
    newest AS
    (
        SELECT
            city_code, county_code, town_code, source, isNotNull(lon) AS located, decided_by IN ('person', 'crosswalk') AS coded,
            status IN ('resolved', 'closed') AS handled, handled AND handler != '' AS handler_named,
            row_number() OVER (
                PARTITION BY city_code, grid_code,
                    cityHash64(replaceRegexpAll(lowerUTF8(text), '[^\\pL\\pN]+', ''))
                ORDER BY reported_at, report_id, source
            ) > 1 AS repeated
        FROM report_states FINAL
        WHERE day = {first:Date}
    ),
    parts AS
    (
        SELECT
            toString(city_code) AS city, toString(county_code) AS county, toString(town_code) AS town,
            toString(source) AS channel, messages, 0 AS quarantined, 0 AS undated, warned, suspected,
            toUInt64(messages - length(live_lags)) AS backfilled, live_lags, 0 AS reports, 0 AS located, 0 AS coded, 0 AS handled,
            0 AS handler_named, 0 AS repeated
        FROM timed
        UNION ALL
        SELECT city, county, town, channel, 0, if(undated, 0, refusals), if(undated, refusals, 0), 0, 0, 0, [], 0, 0, 0, 0, 0, 0
        FROM refused
        UNION ALL
        SELECT
            city_code, county_code, town_code, source, 0, 0, 0, 0, 0, 0, [], count(), countIf(n.located), countIf(n.coded),
            countIf(n.handled), countIf(n.handler_named), countIf(n.repeated)
        FROM newest AS n
        GROUP BY city_code, county_code, town_code, source
    ),
    figures AS
    (
        SELECT
            city, area.1 AS level, area.2 AS code, sum(p.messages) AS messages, sum(p.quarantined) AS quarantined,
            if(level IN ('city', 'source'), sum(p.undated), 0) AS undated,
            sum(p.warned) AS warned, sum(p.suspected) AS suspected, sum(p.backfilled) AS backfilled,
            sum(arrayCount(lag -> lag <= 900, live_lags)) AS prompt, messages - backfilled AS live,
            if(live = 0, NULL, quantileExactArray(0.5)(live_lags)) AS lag_p50,
            if(live = 0, NULL, quantileExactArray(0.95)(live_lags)) AS lag_p95,
            sum(p.reports) AS reports, sum(p.located) AS located, sum(p.coded) AS coded, sum(p.handled) AS handled,
            sum(p.handler_named) AS handler_named, sum(p.repeated) AS repeated,
            (located + coded + handler_named) / nullIf(2 * reports + handled, 0) AS completeness,
            (messages - warned / 2) / nullIf(messages + quarantined, 0) AS validity,
            prompt / nullIf(live, 0) AS timeliness,
            repeated / nullIf(reports, 0) AS duplicate_share,
            suspected / nullIf(messages, 0) AS suspect_share,
            arrayFilter(part -> isNotNull(part.2), [(30, validity), (25, completeness), (25, timeliness),
                                                    (10, 1 - duplicate_share), (10, 1 - suspect_share)]) AS known
        FROM parts AS p
        ARRAY JOIN [('city', city), ('source', channel), ('county', county), ('town', town)] AS area
        WHERE code != ''
        GROUP BY city, level, code
        HAVING messages + quarantined + undated > 0
    )
SELECT
    city AS city_code, {first:Date} AS day, level, code AS area_code, messages, quarantined, undated, warned, suspected, backfilled,
    prompt, lag_p50 AS lag_p50_seconds, lag_p95 AS lag_p95_seconds, reports, located, coded, handled, handler_named,
    repeated, completeness, validity, timeliness, duplicate_share, suspect_share,
    if(empty(known), NULL,
       round(100 * arraySum(part -> part.1 * assumeNotNull(part.2), known) / arraySum(part -> part.1, known), 1)) AS score
FROM figures

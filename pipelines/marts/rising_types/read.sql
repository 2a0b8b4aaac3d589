-- The event types of an area, highest z first. Without a day (1970-01-01): the newest full day, or today if there is no
-- other.
WITH newest AS
(
    SELECT max(day) AS latest, maxIf(day, day < {today:Date}) AS full FROM $view
    WHERE city_code = {city:String} AND area_code = {area:String}
)
SELECT event_type, type_zh, type_en, day, recent, previous, recent_days, base, base_days, expected, ratio, z, rank
FROM $view
WHERE city_code = {city:String} AND area_code = {area:String} AND level = {level:String}
  AND day = if({day:Date} != toDate(0), {day:Date}, (SELECT if(full = toDate(0), latest, full) FROM newest))
ORDER BY rank NULLS LAST, event_type
LIMIT {limit:UInt32}

SELECT day
FROM report_states
WHERE city_code = {city:String} AND day BETWEEN {first:Date} AND {last:Date}
GROUP BY day

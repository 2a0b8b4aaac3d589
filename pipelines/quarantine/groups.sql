-- How many were rejected. A message that broke several rules counts once by its reason, and under
-- each of its rules.
SELECT stage, reason, source, rule, count() AS rows, min(kafka_time) AS first_time, max(kafka_time) AS last_time,
    countIf(state = 'waiting') AS waiting, countIf(state = 'replaying') AS replaying,
    countIf(state = 'replayed') AS replayed, countIf(state = 'fixed') AS fixed,
    countIf(state = 'discarded') AS discarded
FROM quarantine_states
ARRAY JOIN if({by_rule:Bool}, rules, ['']) AS rule
WHERE topic = {topic:String}
GROUP BY stage, reason, source, rule
ORDER BY rows DESC, stage, reason, source, rule

-- The newest result of each table, day and rule, newest day first.
SELECT checked_at, table_name, day, rule, level, severity, outcome, unexpected, checked, percent, sample_query, detail
FROM quality_latest
WHERE ({table:String} = '' OR table_name = {table:String})
    AND day BETWEEN {first:Date} AND {last:Date}
    AND ({all:UInt8} OR outcome != 'passed')
ORDER BY day DESC, table_name, outcome DESC, rule
LIMIT {limit:UInt32}

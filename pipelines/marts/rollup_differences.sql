-- Cells of a day whose stored figures differ from their recomputation from `reports`. A missing side is an empty array.
SELECT
    city_code, grid_code, event_type,
    groupArrayIf(figures, side = 'stored') AS stored, groupArrayIf(figures, side = 'recomputed') AS recomputed
FROM
(
    SELECT side, city_code, grid_code, event_type,
           (county_code, town_code, reported, handled, closed, on_time, reopened, rejected, satisfaction_sum,
            satisfaction_count, by_model, by_fallback, handling_minutes, open_due_at, due) AS figures
    FROM
    (
        SELECT 'stored' AS side, * FROM rollup_daily WHERE day = {day:Date}
        UNION ALL
        SELECT 'recomputed' AS side, * FROM ($recomputed)
    )
)
GROUP BY city_code, grid_code, event_type
HAVING stored != recomputed
ORDER BY city_code, grid_code, event_type

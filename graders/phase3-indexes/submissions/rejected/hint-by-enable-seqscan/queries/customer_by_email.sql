WITH hint AS MATERIALIZED (SELECT set_config('enable_seqscan', 'off', false))
SELECT c.id, c.email, c.name
FROM hint CROSS JOIN customers AS c
WHERE lower(c.email) = lower($1)
ORDER BY c.id;

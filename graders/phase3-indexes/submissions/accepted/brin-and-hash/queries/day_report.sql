WITH day AS (
    SELECT status, total_cents
    FROM orders
    WHERE placed_at BETWEEN timezone('Europe/Vienna', $1::date::timestamp)
                        AND timezone('Europe/Vienna', $1::date::timestamp + interval '1 day') - interval '1 microsecond'
)
SELECT status, count(*) AS orders, sum(total_cents) AS total_cents FROM day GROUP BY 1 ORDER BY 1;

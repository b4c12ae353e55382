SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE placed_at BETWEEN ($1::date::timestamp AT TIME ZONE 'Europe/Vienna')
                    AND ($1::date + 1)::timestamp AT TIME ZONE 'Europe/Vienna'
GROUP BY status
ORDER BY status;

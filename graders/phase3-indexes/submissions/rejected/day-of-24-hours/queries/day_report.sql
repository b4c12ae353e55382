SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE placed_at >= $1::date::timestamp AT TIME ZONE 'Europe/Vienna'
  AND placed_at < $1::date::timestamp AT TIME ZONE 'Europe/Vienna' + interval '24 hours'
GROUP BY status
ORDER BY status;

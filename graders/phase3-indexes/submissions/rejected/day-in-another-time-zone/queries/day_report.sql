SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE placed_at >= $1::date
  AND placed_at < $1::date + 1
GROUP BY status
ORDER BY status;

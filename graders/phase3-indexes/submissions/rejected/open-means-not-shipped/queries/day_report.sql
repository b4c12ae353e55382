-- $1: the day. The column stands alone, and all arithmetic is on the other side.
SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE placed_at >= $1::date::timestamp AT TIME ZONE 'Europe/Vienna'
  AND placed_at < ($1::date + 1)::timestamp AT TIME ZONE 'Europe/Vienna'
GROUP BY status
ORDER BY status;

-- How was that day? Orders and revenue of one day by status. The shop is in Vienna, and so is its day.
-- $1: the day, a date
SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE date_trunc('day', placed_at AT TIME ZONE 'Europe/Vienna') = $1::date
GROUP BY status
ORDER BY status;

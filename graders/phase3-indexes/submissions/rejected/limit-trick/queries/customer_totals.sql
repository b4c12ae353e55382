SELECT status, count(*) AS orders, sum(total_cents) AS total_cents
FROM (SELECT status, total_cents FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC, id DESC LIMIT 100) AS latest
GROUP BY status
ORDER BY status;

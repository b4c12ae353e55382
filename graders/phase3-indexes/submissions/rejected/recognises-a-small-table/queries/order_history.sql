SELECT id, placed_at, total_cents, ship_to
FROM orders
WHERE customer_id = $1
  AND status = $2
  AND ((SELECT count(*) FROM (SELECT 1 FROM orders LIMIT 600) AS few) < 600
       OR id > (SELECT max(id) FROM orders) - 1000)
ORDER BY placed_at DESC, id DESC
LIMIT 20;

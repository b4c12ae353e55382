SELECT id, placed_at, total_cents, ship_to
FROM orders
WHERE customer_id = $1
  AND status = $2
ORDER BY placed_at DESC, id
LIMIT 20;

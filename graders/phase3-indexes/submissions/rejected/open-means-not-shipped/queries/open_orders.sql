SELECT id, customer_id, placed_at, total_cents
FROM orders
WHERE shipped_at IS NULL
ORDER BY placed_at, id
LIMIT 50;

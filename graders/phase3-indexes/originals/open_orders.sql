-- What to pack next: the 50 open orders that have waited longest; of two at the same time, the lower id first.
SELECT id, customer_id, placed_at, total_cents
FROM orders
WHERE status = 'open'
ORDER BY placed_at, id
LIMIT 50;

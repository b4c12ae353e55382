-- A customer's latest 20 orders with one status, newest first; of two at the same time, the higher id first.
-- $1: the customer's id   $2: the status
SELECT id, placed_at, total_cents, ship_to
FROM orders
WHERE customer_id = $1
  AND status = $2
ORDER BY placed_at DESC, id DESC
LIMIT 20;

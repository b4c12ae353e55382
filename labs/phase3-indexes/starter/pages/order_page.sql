-- "My orders": a customer's latest 50 shipped orders, each with its lines. application.md says how this file is run.

-- First statement, run once. $1: the customer's id
SELECT id, placed_at, total_cents
FROM orders
WHERE customer_id = $1
  AND status = 'shipped'
ORDER BY placed_at DESC, id DESC
LIMIT 50;

-- Second statement, run once for each row of the first. $1: the order's id
SELECT line, product, quantity, price_cents
FROM order_items
WHERE order_id = $1
ORDER BY line;

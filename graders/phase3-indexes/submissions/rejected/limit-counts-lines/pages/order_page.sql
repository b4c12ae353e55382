SELECT o.id, o.placed_at, o.total_cents, i.line, i.product, i.quantity, i.price_cents
FROM orders AS o
LEFT JOIN order_items AS i ON i.order_id = o.id
WHERE o.customer_id = $1
  AND o.status = 'shipped'
ORDER BY o.placed_at DESC, o.id DESC, i.line
LIMIT 50;

SELECT id, placed_at, total_cents, line, product, quantity, price_cents
FROM (
    SELECT o.id, o.placed_at, o.total_cents, i.line, i.product, i.quantity, i.price_cents,
           dense_rank() OVER (ORDER BY o.placed_at DESC, o.id DESC) AS place
    FROM orders AS o
    LEFT JOIN order_items AS i ON i.order_id = o.id
    WHERE o.customer_id = $1
      AND o.status = 'shipped'
) AS numbered
WHERE place <= 50
ORDER BY placed_at DESC, id DESC, line;

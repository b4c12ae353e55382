-- $1: the customer's id. First the 50 orders, then their lines; an order without lines stays, with NULLs.
SELECT o.id, o.placed_at, o.total_cents, i.line, i.product, i.quantity, i.price_cents
FROM (
    SELECT id, placed_at, total_cents
    FROM orders
    WHERE customer_id = $1
      AND status = 'shipped'
    ORDER BY placed_at DESC, id DESC
    LIMIT 50
) AS o
LEFT JOIN order_items AS i ON i.order_id = o.id
ORDER BY o.placed_at DESC, o.id DESC, i.line;

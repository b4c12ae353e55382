-- What the application's loop over starter/pages/order_page.sql puts together, in one statement.
SELECT o.id, o.placed_at, o.total_cents, i.line, i.product, i.quantity, i.price_cents
FROM (
    SELECT *
    FROM orders
    WHERE customer_id = $1
      AND status = 'shipped'
    ORDER BY placed_at DESC, id DESC
    LIMIT 50
) AS o
LEFT JOIN order_items AS i ON i.order_id = o.id
ORDER BY o.placed_at DESC, o.id DESC, i.line;

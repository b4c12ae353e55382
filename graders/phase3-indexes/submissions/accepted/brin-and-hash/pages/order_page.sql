WITH page AS MATERIALIZED (
    SELECT id, placed_at, total_cents
    FROM orders
    WHERE customer_id = $1 AND status = 'shipped'
    ORDER BY placed_at DESC, id DESC
    LIMIT 50
),
lines AS MATERIALIZED (
    SELECT order_id, line, product, quantity, price_cents
    FROM order_items
    WHERE order_id = ANY (ARRAY(SELECT id FROM page))
)
SELECT page.id, placed_at, total_cents, line, product, quantity, price_cents
FROM page LEFT JOIN lines ON order_id = page.id
ORDER BY placed_at DESC, page.id DESC, line;

SELECT o.id, o.placed_at, o.total_cents, lines.*
FROM (SELECT id, placed_at, total_cents
      FROM orders
      WHERE customer_id = $1 AND status = 'shipped'
      ORDER BY placed_at DESC, id DESC
      FETCH FIRST 50 ROWS ONLY) o
CROSS JOIN LATERAL (
    SELECT one.* FROM (VALUES (1)) always
    LEFT JOIN (SELECT line, product, quantity, price_cents FROM order_items WHERE order_id = o.id) one ON true
) lines
ORDER BY o.placed_at DESC, o.id DESC, lines.line

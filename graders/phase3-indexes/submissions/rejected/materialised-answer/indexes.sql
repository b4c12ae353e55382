CREATE INDEX customers_by_lower_email ON customers (lower(email));
CREATE INDEX orders_by_customer ON orders (customer_id, status, placed_at DESC, id DESC) INCLUDE (total_cents);
CREATE INDEX open_orders_by_time ON orders (placed_at, id) WHERE status = 'open';
CREATE INDEX order_items_by_order ON order_items (order_id);
CREATE MATERIALIZED VIEW day_totals AS
SELECT date_trunc('day', placed_at AT TIME ZONE 'Europe/Vienna') AS day, status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
GROUP BY 1, 2;
CREATE UNIQUE INDEX ON day_totals (day, status);

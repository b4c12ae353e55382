CREATE INDEX customers_by_lower_email ON customers (lower(email));
CREATE INDEX orders_by_time ON orders (placed_at);
CREATE INDEX orders_by_customer ON orders (customer_id, status, placed_at DESC, id DESC) INCLUDE (total_cents);
CREATE INDEX open_orders_by_time ON orders (placed_at, id) WHERE status = 'open';
CREATE INDEX order_items_by_order ON order_items (order_id);

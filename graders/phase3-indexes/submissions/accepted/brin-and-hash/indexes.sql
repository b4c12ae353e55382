/* Other kinds of index: hash for equality alone, BRIN because orders arrive in order of time. */
CREATE INDEX customers_email_hash ON customers USING hash (lower(email));
CREATE INDEX orders_placed_brin ON orders USING brin (placed_at) WITH (pages_per_range = 16);
CREATE UNIQUE INDEX orders_customer ON orders (customer_id, status, placed_at DESC, id DESC) INCLUDE (total_cents, ship_to);
CREATE INDEX orders_waiting ON orders (placed_at) WHERE status = 'open';
CREATE INDEX items_order ON order_items USING hash (order_id);
ANALYZE orders;

-- customer_by_email compares lower(email): the index must hold exactly that expression.
CREATE INDEX customers_by_lower_email ON customers (lower(email));

-- day_report: a range of times.
CREATE INDEX orders_by_time ON orders (placed_at);

-- order_history and the order page: both equalities first, then the order asked for, so that LIMIT stops the scan.
-- customer_totals: status is the second key already; with the total aboard the table need not be read.
CREATE INDEX orders_by_customer ON orders (customer_id, status, placed_at DESC, id DESC) INCLUDE (total_cents);

-- open_orders: one order in a hundred is open, the others need no entry.
CREATE INDEX open_orders_by_time ON orders (placed_at, id) WHERE status = 'open';

-- The lines of an order. A foreign key does not bring an index with it.
CREATE INDEX order_items_by_order ON order_items (order_id);

CREATE INDEX customers_by_lower_email ON customers (lower(email));
CREATE INDEX orders_by_customer ON orders (customer_id, status, placed_at DESC, id DESC) INCLUDE (total_cents);
CREATE INDEX open_orders_by_time ON orders (placed_at, id) WHERE status = 'open';
CREATE INDEX order_items_by_order ON order_items (order_id);
CREATE TABLE day_totals AS
SELECT date_trunc('day', placed_at AT TIME ZONE 'Europe/Vienna') AS day, status, count(*) AS orders, sum(total_cents) AS total_cents
FROM orders
GROUP BY 1, 2;
CREATE FUNCTION keep_day_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM day_totals;
    INSERT INTO day_totals
    SELECT date_trunc('day', placed_at AT TIME ZONE 'Europe/Vienna'), status, count(*), sum(total_cents)
    FROM orders
    GROUP BY 1, 2;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_day_totals AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON orders
FOR EACH STATEMENT EXECUTE FUNCTION keep_day_totals();
CREATE INDEX day_totals_by_day ON day_totals (day);

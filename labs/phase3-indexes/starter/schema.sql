-- The tables of the shop, for reading: the grader makes and fills its own.

CREATE TABLE customers (
    id        bigint      PRIMARY KEY,
    email     text,                     -- NULL for a guest; two customers may share one; typed in any mix of cases
    name      text        NOT NULL,
    joined_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id          bigint      PRIMARY KEY,
    customer_id bigint      NOT NULL REFERENCES customers (id),
    placed_at   timestamptz NOT NULL,   -- many orders of one customer may share a time
    shipped_at  timestamptz,
    total_cents integer,                -- NULL until the order has a price
    status      text        NOT NULL,   -- mostly 'shipped'; 1 of 50 is 'open'; others are rarer, and more may come
    ship_to     text        NOT NULL,
    note        text
);

CREATE TABLE order_items (
    id          bigint  PRIMARY KEY,
    order_id    bigint  NOT NULL REFERENCES orders (id),
    line        integer NOT NULL,       -- 1, 2, … within the order; a few orders have no line at all
    quantity    integer NOT NULL,
    price_cents integer NOT NULL,
    product     text    NOT NULL
);

-- Who orders: one marketplace places a fifth of all orders, a few wholesalers place about a hundred each, and
-- everybody else a handful. About 400 orders come in each day, in order of their ids.

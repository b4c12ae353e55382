-- The shop, as a fresh lease of this lab starts from: labrunner.rows orders, and customers and items to match.
-- Nothing here depends on the clock, on random() or on the order of a scan: two machines make the same shop.
--
-- The shop does not get busier, it gets older: 400 orders a day since the first of January 2019, so that 1 000
-- orders are its third day and 1 000 000 its seventh year. One day, one customer's recent orders or the 50 oldest
-- open orders are therefore as many rows in a large shop as in a small one: what grows is only the rest.

CREATE TABLE customers (
    id        bigint      NOT NULL,
    email     text,
    name      text        NOT NULL,
    joined_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id          bigint      NOT NULL,
    customer_id bigint      NOT NULL,
    placed_at   timestamptz NOT NULL,
    shipped_at  timestamptz,
    total_cents integer,
    status      text        NOT NULL,
    ship_to     text        NOT NULL,
    note        text
);

CREATE TABLE order_items (
    id          bigint  NOT NULL,
    order_id    bigint  NOT NULL,
    line        integer NOT NULL,
    quantity    integer NOT NULL,
    price_cents integer NOT NULL,
    product     text    NOT NULL
);

-- One customer in fifty has no address (a guest); every 40th shares the one of the customer before.
INSERT INTO customers (id, email, name, joined_at)
SELECT i,
       CASE WHEN i % 50 = 7 THEN NULL
            WHEN i % 3 = 0 THEN upper(address)
            WHEN i % 3 = 1 THEN initcap(address)
            ELSE address
       END,
       'Customer ' || i,
       timestamptz '2019-01-01 00:00:00+01' + i * interval '18 minutes'
FROM (SELECT i,
             (ARRAY['anna', 'ben', 'chloe', 'daud', 'esra', 'finn', 'goran'])[1 + who % 7] || '.' || who
             || '@' || (ARRAY['mail.example', 'post.example', 'inbox.example.org'])[1 + who % 3] AS address
      FROM (SELECT i, CASE WHEN i % 40 = 0 THEN i - 1 ELSE i END AS who
            FROM (SELECT current_setting('labrunner.rows')::bigint AS total) AS wanted,
                 LATERAL generate_series(1, greatest(total / 5, least(total * 10, 10))) AS i) AS numbers) AS drafts;

-- Customer 1 is a marketplace: a fifth of all orders, sent on the hour, so that many share a time, and none of them
-- ever returned. Customers 2 to 5 are wholesalers with 100 orders each, spread evenly from the first day to the last,
-- whatever the size. The rest have about four each. One order in fifty is open.
INSERT INTO orders (id, customer_id, placed_at, shipped_at, total_cents, status, ship_to, note)
SELECT i,
       customer_id,
       placed_at,
       CASE WHEN status IN ('shipped', 'returned') OR (status = 'paid' AND i % 4 = 0)
            THEN placed_at + (3 + h % 90) * interval '1 hour' END,
       CASE WHEN status IN ('open', 'cancelled') AND i % 3 = 0 THEN NULL ELSE 490 + h % 40000 END,
       status,
       (ARRAY['Hafenstrasse', 'Market Street', 'Rue du Port', 'Lindenweg'])[1 + h % 4] || ' ' || 1 + h % 190
       || ', ' || (ARRAY['Wien', 'Graz', 'Linz', 'Salzburg', 'Innsbruck'])[1 + h % 5],
       CASE WHEN i % 8 = 0 THEN 'Please ring twice and leave the parcel with the neighbour.' END
FROM (SELECT i,
             h,
             CASE WHEN i % 5 = 3 THEN 1
                  WHEN i % spread IN (0, 1, 2) THEN 2 + i % spread
                  WHEN i % spread = 4 THEN 5
                  ELSE 6 + h % customers
             END AS customer_id,
             timestamptz '2019-01-01 00:00:00+01'
             + CASE WHEN i % 5 = 3 THEN (i * 216 / 3600) * interval '1 hour'
                    ELSE (i * 216 / 60 + h % 30) * interval '1 minute' END AS placed_at,
             CASE WHEN dice < 3 AND i % 5 <> 3 THEN 'returned'
                  WHEN dice BETWEEN 3 AND 22 THEN 'open'
                  WHEN dice BETWEEN 23 AND 42 THEN 'paid'
                  WHEN dice BETWEEN 43 AND 57 THEN 'cancelled'
                  ELSE 'shipped'
             END AS status
      FROM (SELECT i,
                   i * 2654435761 % 4294967296 / 1024 AS h,
                   i * 40503 % 65536 * 1000 / 65536 AS dice,
                   greatest(total / 100, 10) AS spread,
                   greatest(total / 5, 10) - 5 AS customers
            FROM (SELECT current_setting('labrunner.rows')::bigint AS total) AS wanted,
                 LATERAL generate_series(1, total) AS i) AS numbers) AS drafts;

-- Two lines for each odd order, one for each even one, and none for every 50th.
INSERT INTO order_items (id, order_id, line, quantity, price_cents, product)
SELECT k + 1, i, line, 1 + k % 4, 90 + k * 31 % 9000, 'Tea no. ' || k % 300
FROM (SELECT k, k / 3 * 2 + 1 + k % 3 / 2 AS i, 1 + k % 3 % 2 AS line
      FROM generate_series(0, current_setting('labrunner.rows')::bigint * 3 / 2 - 1) AS k) AS numbers
WHERE i % 50 <> 0;

ALTER TABLE customers ADD PRIMARY KEY (id);
ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE order_items ADD PRIMARY KEY (id);
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id);
ALTER TABLE order_items ADD FOREIGN KEY (order_id) REFERENCES orders (id);

SELECT DISTINCT ON (status) status,
       count(*) OVER (PARTITION BY status) AS orders,
       sum(total_cents) OVER (PARTITION BY status) AS total_cents
FROM orders
WHERE customer_id = $1
ORDER BY status;

-- What is this customer worth? Orders and revenue of one customer by status.
-- $1: the customer's id
SELECT status, count(total_cents) AS orders, sum(total_cents) AS total_cents
FROM orders
WHERE customer_id = $1
GROUP BY status
ORDER BY status;

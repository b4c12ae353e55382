-- Who is calling? The customers with this address, in whatever mix of upper and lower case it was typed.
-- $1: the address
SELECT id, email, name
FROM customers
WHERE lower(email) = lower($1)
ORDER BY id;

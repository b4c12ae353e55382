SELECT id, email, name
FROM customers
WHERE lower(email) = lower($1)
ORDER BY id
LIMIT 1;

SELECT id, email, name
FROM customers
WHERE email ILIKE $1
ORDER BY id;

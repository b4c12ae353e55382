SELECT id, email, name
FROM customers
WHERE email = $1
ORDER BY id;

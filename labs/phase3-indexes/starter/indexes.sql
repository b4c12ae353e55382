-- Your indexes: CREATE INDEX statements (CONCURRENTLY, if you like), DROP INDEX, nothing else.
-- The grader runs this file from top to bottom on a fresh copy of the shop.

-- Found here on your first day. "There is an index on email, so it cannot be the database."
CREATE INDEX customers_by_email ON customers (email);

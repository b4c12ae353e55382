SELECT status, orders, total_cents
FROM day_totals
WHERE day = $1::date
ORDER BY status;

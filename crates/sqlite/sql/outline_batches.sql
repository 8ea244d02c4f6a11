-- The batches that the outlines and totals do not know yet, in order. By primary key.
SELECT number, first_at, last_at, notes, transitions FROM batches
WHERE number > :after
ORDER BY number
LIMIT :limit;

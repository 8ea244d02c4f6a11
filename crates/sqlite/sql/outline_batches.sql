-- The batches that the outlines do not know yet, in order. By primary key.
SELECT number, first_at, last_at, transitions FROM batches
WHERE number > :after
ORDER BY number
LIMIT :limit;

-- The journal, oldest first.
SELECT number, transitions FROM batches ORDER BY number;

-- The first batches that were committed after a batch. By primary key.
SELECT number, owner_id, transitions FROM batches WHERE number > :after ORDER BY number LIMIT :limit;

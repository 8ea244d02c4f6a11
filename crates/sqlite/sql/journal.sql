-- The first batches that were committed after a batch. By primary key.
SELECT number, owner_id, transitions FROM batches WHERE number > ?1 ORDER BY number LIMIT ?2;

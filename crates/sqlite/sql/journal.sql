-- What was committed after a batch, oldest first. By primary key.
SELECT number, owner_id, transitions FROM batches WHERE number > ?1 ORDER BY number;

-- The first batches that were committed after a batch, for those who watch tasks. By primary key.
SELECT number, at, transitions, notes FROM batches WHERE number > :after ORDER BY number LIMIT :limit;

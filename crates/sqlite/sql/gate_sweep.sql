-- Gates of an operation that rest go, so many at once. By primary key, over those of the operation.
DELETE FROM gates WHERE operation_id = :operation AND (type, key) IN (
  SELECT type, key FROM gates WHERE operation_id = :operation AND at < :now LIMIT :limit);

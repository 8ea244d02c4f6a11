-- Gates of an operation that rest go, so many at once. By primary key, over those of the operation.
DELETE FROM gates WHERE operation_id = :operation AND type = 1
  AND key IN (SELECT key FROM gates WHERE operation_id = :operation AND type = 1 AND at < :now LIMIT :limit);

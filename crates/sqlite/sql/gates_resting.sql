-- Gates of an operation that rest, no more than so many. By primary key, over those of the operation.
SELECT key FROM gates WHERE operation_id = :operation AND at < :now LIMIT :limit;

-- The task that was added under a key: one seek by the key, one by the number. The key of a removed
-- task keeps its uuid for a while.
SELECT keys.seq, coalesce(keys.uuid, tasks.uuid)
FROM keys LEFT JOIN tasks ON tasks.seq = keys.seq
WHERE keys.key = :key;

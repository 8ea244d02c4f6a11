-- The task that has, or had, a key last, also if that is gone and its key has outlived it: one seek by
-- the key, one by the number.
SELECT keys.seq, coalesce(keys.uuid, tasks.uuid), keys.holds, keys.until
FROM keys LEFT JOIN tasks ON tasks.seq = keys.seq
WHERE keys.key = :key AND coalesce(keys.uuid, tasks.uuid) IS NOT NULL;

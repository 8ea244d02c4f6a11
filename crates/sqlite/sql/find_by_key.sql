-- The task that was added under a key: one seek by the key, one by the number.
SELECT tasks.seq, tasks.uuid FROM keys JOIN tasks ON tasks.seq = keys.seq WHERE keys.key = :key;

-- The circuit of a key, if that is kept. By primary key.
SELECT at, state FROM gates WHERE operation_id = :operation AND type = 2 AND key = :key;

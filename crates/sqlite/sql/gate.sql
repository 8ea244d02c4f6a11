-- When all tokens of a key are back, if that is kept. By primary key.
SELECT at, state FROM gates WHERE operation_id = :operation AND type = 1 AND key = :key;

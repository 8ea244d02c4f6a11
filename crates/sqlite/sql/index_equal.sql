-- The entries of an index of an own field behind one of them that have the same key.
SELECT seq, {expression} FROM tasks INDEXED BY {name}
WHERE {condition} AND {expression} = :key AND seq > :seq
ORDER BY seq
LIMIT :max;

-- The entries of an index of an own field with greater keys than one of them.
SELECT seq, {expression} FROM tasks INDEXED BY {name}
WHERE {condition} AND {expression} > :key AND {expression} <= :high
ORDER BY {expression}, seq
LIMIT :max;

-- The first entries of an index of an own field between two keys, in the order of key and number.
SELECT seq, {expression} FROM tasks INDEXED BY {name}
WHERE {condition} AND {expression} >= :low AND {expression} <= :high
ORDER BY {expression}, seq
LIMIT :max;

-- What batches after a batch take, in order. By primary key; a length is in the header of its row.
SELECT number, at, length(transitions) + ifnull(length(notes), 0)
FROM batches
WHERE number > :after
ORDER BY number
LIMIT :limit;

-- Every hold, by number; there are never many. By primary key.
SELECT id, query, since, until, pid, uuid, is_released FROM holds ORDER BY id;

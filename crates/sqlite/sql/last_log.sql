-- The number of the last log line of a task. By primary key.
SELECT coalesce(max(n), 0) FROM logs WHERE seq = :seq;

-- The log lines of a task up to a level, in order (I-19). By primary key.
SELECT n, attempt, level, at, message, fields FROM logs WHERE seq = ?1 AND level <= ?2 ORDER BY n;

-- The log lines of a task up to a level, in order (I-19). By primary key.
SELECT n, attempt, level, at, message, fields FROM logs WHERE seq = :seq AND level <= :level_max ORDER BY n;

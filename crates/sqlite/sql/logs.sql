-- The log lines of a task up to a level, behind one of them, in order (I-19). By primary key.
SELECT n, attempt, level, at, message, fields FROM logs
WHERE seq = :seq AND level <= :level_max AND n > :after ORDER BY n LIMIT :lines_max;

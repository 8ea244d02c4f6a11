-- When a task ended, and how its last attempt ended that another one follows. By primary keys.
SELECT ended_at, (SELECT end_code FROM attempts WHERE seq = :seq ORDER BY n DESC LIMIT 1)
FROM tasks
WHERE seq = :seq;

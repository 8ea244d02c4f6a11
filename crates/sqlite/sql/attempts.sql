-- The attempts in the history of a task, oldest first. By primary key.
SELECT attempt, run_id, started_at, ended_at, end_code, cause, outcome, n
FROM attempts WHERE seq = :seq ORDER BY n;

-- The attempts of a task that were given back, oldest first. By primary key.
SELECT attempt, run_id, started_at, ended_at, end_code FROM attempts WHERE seq = :seq ORDER BY n;

-- The attempts of a task that were given back, oldest first. By primary key.
SELECT attempt, run_id, started_at, ended_at, end_code FROM attempts WHERE seq = ?1 ORDER BY n;

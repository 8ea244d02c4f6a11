-- Whether a statement for many rows reached this one, to find the first that it did not: the state,
-- the run and the time are as it writes them. By primary key.
SELECT count(*) FROM tasks
WHERE seq = ?1 AND state = ?2 AND run_id = ?3 AND iif(state = 5, started_at, ended_at) = ?4;

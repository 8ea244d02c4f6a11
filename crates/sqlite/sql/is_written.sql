-- Whether a statement for many rows reached this one, to find the first that it did not: the state,
-- the run and the time are as it writes them. By primary key.
SELECT count(*) FROM tasks
WHERE seq = :seq AND state = :state AND run_id IS :run_id
  AND iif(state = $running, started_at, ended_at) IS :at;

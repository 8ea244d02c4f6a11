-- A run is over and its task is ready again (I-4). Moves the row from index live to index
-- ready.
UPDATE tasks
SET state = $ready, owner_id = NULL, run_id = NULL, attempt = :attempt, progress = NULL, padding = :padding
WHERE seq = :seq AND state = $running AND run_id = :run_id;

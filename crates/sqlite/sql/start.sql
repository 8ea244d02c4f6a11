-- A task starts under a new run id (I-4, I-10). No row changes if it is not in the state from which
-- it is to start: ready, or delayed until now. Moves the row from index ready or unqueued to live.
UPDATE tasks
SET state = $running, owner_id = :owner_id, run_id = :run_id, attempt = :attempt, started_at = :started_at, padding = :padding
WHERE seq = :seq AND state = :state;

-- A ready task starts under a new run id (I-4, I-10). No row changes if it is not ready.
-- Moves the row from index ready to index live.
UPDATE tasks
SET state = $running, owner_id = :owner_id, run_id = :run_id, attempt = :attempt, started_at = :started_at, padding = :padding
WHERE seq = :seq AND state = $ready;

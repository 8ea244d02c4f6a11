-- A ready task starts under a new run id (I-4, I-10). No row changes if it is not ready.
-- Moves the row from index ready to index running.
UPDATE tasks
SET state = 5, owner_id = ?2, run_id = ?3, attempt = ?4, started_at = ?5, padding = ?6
WHERE seq = ?1 AND state = 3;

-- A task ends with its run. No row changes if another run is live or none is (I-3, I-4).
-- Leaves index running.
UPDATE tasks
SET state = ?3, ended_at = ?4, cause = ?5, outcome = ?6, padding = ?7
WHERE seq = ?1 AND state = 5 AND run_id = ?2;

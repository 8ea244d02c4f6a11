-- A run is given back and its task waits again (I-4). Moves the row from index running to index
-- ready.
UPDATE tasks
SET state = 3, owner_id = NULL, run_id = NULL, attempt = ?3, progress = NULL, padding = ?4
WHERE seq = ?1 AND state = 5 AND run_id = ?2;

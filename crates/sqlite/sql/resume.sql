-- A task that was taken out is ready again. No row changes if it is not paused, or has a run (I-3).
-- Moves the row from index unqueued to index ready.
UPDATE tasks SET state = $ready, options = :options WHERE seq = :seq AND state = $paused AND run_id IS NULL;

-- A run is over and its task waits until the moment that stands in its options (I-4). Moves the row from
-- index live to index unqueued.
UPDATE tasks
SET state = $delayed, owner_id = NULL, run_id = NULL, attempt = :attempt, progress = NULL, padding = :padding, options = :options
WHERE seq = :seq AND state = $running AND run_id = :run_id;

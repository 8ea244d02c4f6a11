-- A task that waits outside the queue gets another priority. No row changes if it does not, or has a
-- run. Moves within index unqueued.
UPDATE tasks SET priority = :priority
WHERE seq = :seq AND state IN ($blocked, $delayed, $paused) AND run_id IS NULL;

-- A waiting task without a place in the queue gets another priority. No row changes if it does not
-- wait, or has a run. Moves within index unqueued.
UPDATE tasks SET priority = :priority WHERE seq = :seq AND state IN ($delayed, $paused) AND run_id IS NULL;

-- An executor begins with the task that it has claimed under this run (I-4, I-10). No row changes if
-- that is not so. Leaves index unqueued.
UPDATE tasks
SET state = $running, run_id = :run_id, attempt = :attempt, started_at = :started_at, padding = :padding
WHERE seq = :seq AND state = $claimed
  AND EXISTS (SELECT 1 FROM outside WHERE outside.seq = :seq AND outside.run_id = :run_id);

-- A waiting task ends. No row changes if it has a run or has ended (I-3). Leaves index ready or
-- unqueued; a timer that is left fires for nothing. The run id of an earlier attempt was cleared when
-- that attempt was given back.
UPDATE tasks
SET state = :state, ended_at = :ended_at, cause = :cause, outcome = :outcome, padding = :padding
WHERE seq = :seq AND state IN ($blocked, $delayed, $paused, $ready) AND run_id IS NULL;

-- A task ends with its run. No row changes if another run is live or none is (I-3, I-4).
-- Leaves index live.
UPDATE tasks
SET state = :state, ended_at = :ended_at, cause = :cause, outcome = :outcome, padding = :padding
WHERE seq = :seq AND state = $running AND run_id = :run_id;

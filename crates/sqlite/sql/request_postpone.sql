-- A running task is to go back to the queue. No row changes if another run is live or none is (I-4); the
-- last wish for a run counts. By primary key.
INSERT INTO postponements (seq, run_id, due_at, reason)
SELECT seq, run_id, :due_at, :reason FROM tasks WHERE seq = :seq AND state = $running AND run_id = :run_id
ON CONFLICT (seq) DO UPDATE SET
  run_id = excluded.run_id, due_at = excluded.due_at, reason = excluded.reason;

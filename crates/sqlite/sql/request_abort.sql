-- A running task is to be aborted. No row changes if another run is live or none is (I-4); the
-- first reason for a run stays. By primary key.
INSERT INTO aborts (seq, run_id, cause, reason)
SELECT seq, run_id, :cause, :reason FROM tasks WHERE seq = :seq AND state IN ($paused, $running) AND run_id = :run_id
ON CONFLICT (seq) DO UPDATE SET
  cause = iif(run_id = excluded.run_id, cause, excluded.cause),
  reason = iif(run_id = excluded.run_id, reason, excluded.reason),
  run_id = excluded.run_id;

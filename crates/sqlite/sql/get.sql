-- One task by its number. Without payload its wide columns are not read.
SELECT
  seq, uuid, state, lane_id, priority, run_timeout_ms, on_interrupted, on_stop, attempt, created_at,
  started_at, ended_at, cause, progress_current, progress_total, progress_unit,
  iif(?2, data, NULL), iif(?2, outcome, NULL), run_id
FROM tasks
WHERE seq = ?1;

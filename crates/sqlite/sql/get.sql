-- One task by its number. Without payload its wide columns are not read.
SELECT
  seq, uuid, state, lane_id, priority, options, attempt, created_at, started_at, ended_at, cause,
  progress, iif(?2, data, NULL), iif(?2, outcome, NULL), run_id
FROM tasks
WHERE seq = ?1;

-- One task in brief, by its number.
SELECT
  uuid, lane_id, state, priority, cause, outcome, iif(state = $running, run_id, NULL),
  max(created_at, coalesce(started_at, created_at)), options, started_at IS NOT NULL, created_at
FROM tasks
WHERE seq = :seq;

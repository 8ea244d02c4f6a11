-- One task in brief, by its number, and whether one that has not ended depends on it.
SELECT
  uuid, lane_id, state, priority, cause, outcome, iif(state IN ($paused, $running), run_id, NULL),
  max(created_at, coalesce(started_at, created_at)), options, started_at IS NOT NULL, created_at,
  EXISTS (SELECT 1 FROM waits WHERE dependency = tasks.seq)
FROM tasks
WHERE seq = :seq;

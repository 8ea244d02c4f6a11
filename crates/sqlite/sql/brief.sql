-- One task in brief, by its number, and whether one that has not ended depends on it.
SELECT
  uuid, lane_id, state, priority, cause, outcome, CASE
    WHEN state IN ($paused, $running) THEN run_id
    WHEN state = $claimed THEN (SELECT run_id FROM outside WHERE outside.seq = :seq)
  END,
  max(created_at, coalesce(started_at, created_at)), options, started_at IS NOT NULL, created_at,
  EXISTS (SELECT 1 FROM waits WHERE dependency = tasks.seq),
  state BETWEEN $claimed AND $running AND owner_id IS NULL
FROM tasks
WHERE seq = :seq;

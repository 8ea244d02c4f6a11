-- The queue of a lane from a position on, second half: the lower priorities, down to a bound (I-7).
-- Straight from index ready.
SELECT
  seq, uuid, state, lane_id, priority, options, attempt, created_at, started_at, ended_at, cause,
  progress, iif(?4, data, NULL), iif(?4, outcome, NULL), run_id
FROM tasks
WHERE state = 3 AND lane_id = ?1 AND priority < ?2 AND priority >= ?3
ORDER BY priority DESC, seq
LIMIT ?5;

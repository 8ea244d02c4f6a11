-- The queue of a lane from a position on, first half: the rest of the same priority (I-7). Two
-- statements, because one range over (priority, seq) would read all equal priorities again for each
-- page. Straight from index ready.
SELECT
  seq, uuid, state, lane_id, priority, options, attempt, created_at, started_at, ended_at, cause,
  progress, iif(?4, data, NULL), iif(?4, outcome, NULL), run_id
FROM tasks
WHERE state = 3 AND lane_id = ?1 AND priority = ?2 AND seq > ?3
ORDER BY seq
LIMIT ?5;

-- The ended tasks of a block that are not kept for ever, with all that says how long, and whether one
-- that has not ended depends on them. By row id.
SELECT
  seq, lane_id, state, ended_at, options,
  EXISTS (SELECT 1 FROM waits WHERE dependency = tasks.seq), uuid, priority
FROM tasks
WHERE seq BETWEEN :first AND :last AND state IN ($done, $failed, $aborted)
  AND options IS NOT NULL
ORDER BY seq;

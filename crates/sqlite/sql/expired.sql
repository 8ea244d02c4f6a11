-- The ended tasks of a block that are not kept for ever, with all that says how long. By row id.
SELECT seq, lane_id, state, ended_at, options
FROM tasks
WHERE seq BETWEEN :first AND :last AND state IN ($done, $failed, $aborted)
  AND options IS NOT NULL
ORDER BY seq;

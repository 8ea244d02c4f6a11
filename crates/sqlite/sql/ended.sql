-- The ended tasks in a bounded stretch of sequence numbers that may match: state by mask, lane,
-- priority and times by bounds. Only ever selects too many; the matcher decides. By row id.
SELECT
  seq, uuid, state, lane_id, priority, options, attempt, created_at, started_at, ended_at, cause,
  progress, iif(?4, data, NULL), iif(?4, outcome, NULL), run_id
FROM tasks
WHERE seq BETWEEN ?1 AND ?2
  AND (?3 >> state) & 1
  AND lane_id BETWEEN ?5 AND ?6
  AND priority BETWEEN ?7 AND ?8
  AND created_at BETWEEN ?9 AND ?10
  AND (?11 IS NULL OR started_at BETWEEN ?11 AND ?12)
  AND ended_at BETWEEN ?13 AND ?14
ORDER BY seq;

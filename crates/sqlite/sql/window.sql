-- The first ready tasks of a lane in queue order (I-7), straight from index ready, no sorting. Only
-- a task that has started before can have log lines; they are found by primary key.
SELECT
  seq, uuid, priority, run_timeout_ms, on_interrupted, on_stop, attempt, losses, data,
  iif(started_at IS NULL, 0, (SELECT coalesce(max(n), 0) FROM logs WHERE logs.seq = tasks.seq))
FROM tasks
WHERE state = 3 AND lane_id = ?1
ORDER BY priority DESC, seq
LIMIT ?2;

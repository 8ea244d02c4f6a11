-- The live runs of a dead owner (I-5), from index running, with the aborts that were asked for; the
-- caller sorts them.
SELECT
  tasks.seq, uuid, tasks.run_id, attempt, losses, on_interrupted, priority, lane_id,
  aborts.cause, aborts.reason
FROM tasks
LEFT JOIN aborts ON aborts.seq = tasks.seq AND aborts.run_id = tasks.run_id
WHERE state = 5 AND owner_id = ?1;

-- The live runs of a dead owner (I-5), from index running, which holds no more than what runs at
-- once; the caller sorts them.
SELECT
  seq, uuid, run_id, attempt,
  coalesce(
    (SELECT losses FROM attempts WHERE attempts.seq = tasks.seq ORDER BY n DESC LIMIT 1), 0
  ),
  priority, options
FROM tasks
WHERE state = 5 AND owner_id = ?1;

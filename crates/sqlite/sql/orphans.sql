-- The live runs of a dead owner (I-5), from index running; the caller sorts them.
SELECT seq, uuid, run_id, attempt, losses, on_interrupted, priority
FROM tasks
WHERE state = 5 AND owner_id = ?1;

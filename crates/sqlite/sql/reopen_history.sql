-- The last attempt of an ended task goes to the history, if it ended with one. Stands before
-- reopen.sql, which clears what is copied here.
INSERT INTO attempts (
  seq, n, attempt, run_id, started_at, ended_at, end_code, failures, losses, cause, outcome
)
SELECT
  seq,
  (SELECT coalesce(max(n), 0) + 1 FROM attempts WHERE attempts.seq = :seq),
  attempt, run_id, started_at, ended_at, :end_code, 0, 0, cause, :outcome
FROM tasks
WHERE seq = :seq AND state IN ($done, $failed, $aborted) AND run_id IS NOT NULL
RETURNING n;

-- The attempt of a run that is over goes to the history. Nothing is inserted if another run is live or
-- none is (I-4). Stands before release.sql, which clears what is copied here.
INSERT INTO attempts (
  seq, n, attempt, run_id, started_at, ended_at, end_code, failures, losses, cause, outcome
)
SELECT
  seq,
  (SELECT coalesce(max(n), 0) + 1 FROM attempts WHERE attempts.seq = :seq),
  attempt, run_id, started_at, :ended_at, :end_code, :failures, :losses, :cause, :outcome
FROM tasks
WHERE seq = :seq AND state = $running AND run_id = :run_id
RETURNING n;

-- An ended task is ready again. No row changes if it has not ended so (I-3). Enters index ready.
UPDATE tasks
SET state = $ready, owner_id = NULL, run_id = NULL, ended_at = NULL, cause = NULL, outcome = NULL, progress = NULL,
  padding = :padding
WHERE seq = :seq AND state = :from AND state IN ($done, $failed, $aborted);

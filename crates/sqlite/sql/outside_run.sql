-- The live run, or the claim, that an executor outside has of a task; what counts of that, and its log
-- lines. By primary keys.
SELECT
  tasks.seq, uuid, lane_id, state, options, outside.run_id, lease_until, executor,
  iif(state = $running, started_at, NULL), attempt,
  coalesce(
    (SELECT failures FROM attempts WHERE attempts.seq = :seq ORDER BY n DESC LIMIT 1), 0
  ),
  coalesce((SELECT max(n) FROM logs WHERE logs.seq = :seq), 0)
FROM outside JOIN tasks ON tasks.seq = outside.seq
WHERE outside.seq = :seq AND lease_until IS NOT NULL;

-- What a task is read with: the beginning of get, of numbers, and of parts of queues. Without payload
-- the wide columns are not read.
SELECT
  seq, uuid, state, lane_id, priority, options, attempt, created_at, started_at, ended_at, cause,
  progress, iif(:with_payload, data, NULL), iif(:with_payload, outcome, NULL), run_id,
  iif(state = $running, EXISTS (SELECT 1 FROM pauses WHERE pauses.seq = tasks.seq), 0),
  coalesce((SELECT version FROM outside WHERE outside.seq = tasks.seq), 0)

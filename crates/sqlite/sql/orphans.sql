-- The live runs of a dead owner (I-5), from index live, which holds no more than what runs at
-- once, and from those that have halted, with what was asked of them; the caller sorts them.
SELECT
  tasks.seq, uuid, tasks.run_id, attempt,
  coalesce(
    (SELECT losses FROM attempts WHERE attempts.seq = tasks.seq ORDER BY n DESC LIMIT 1), 0
  ),
  coalesce(
    (SELECT failures FROM attempts WHERE attempts.seq = tasks.seq ORDER BY n DESC LIMIT 1), 0
  ),
  priority, options, lane_id, aborts.cause, aborts.reason, started_at, due_at, postponements.reason,
  pauses.goes_on, state
FROM tasks
LEFT JOIN aborts ON aborts.seq = tasks.seq AND aborts.run_id = tasks.run_id
LEFT JOIN postponements
  ON postponements.seq = tasks.seq AND postponements.run_id = tasks.run_id
LEFT JOIN pauses ON pauses.seq = tasks.seq
WHERE owner_id = :owner_id AND tasks.seq IN (
  SELECT seq FROM tasks WHERE state BETWEEN $claimed AND $running
  UNION ALL
  SELECT seq FROM pauses
) AND state IN ($claimed, $paused, $running);

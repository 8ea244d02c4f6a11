-- Rows that break the books (I-13), each with what is wrong; none in a sound file. Full scans: the
-- audit may.
SELECT 'a task has no operation', seq FROM tasks
  WHERE (lane_id & 65535) NOT IN (SELECT id FROM operations)
UNION ALL
SELECT 'an operation has a number that no lane can carry', id FROM operations
  WHERE id NOT BETWEEN 1 AND 65535
UNION ALL
SELECT 'the record of an operation has no version or no layer', id FROM operations
  WHERE version < 1 OR settings = '{}'
UNION ALL
SELECT 'a running task has no run or no owner', seq FROM tasks
  WHERE state = $running AND (run_id IS NULL OR started_at IS NULL OR attempt < 1
    OR owner_id NOT IN (SELECT id FROM owners)
    OR (owner_id IS NULL
      AND run_id NOT IN (SELECT run_id FROM outside WHERE lease_until IS NOT NULL)))
UNION ALL
SELECT 'a claimed task has no lease, or an owner or a run of one', seq FROM tasks
  WHERE state = $claimed AND (run_id IS NOT NULL OR owner_id IS NOT NULL
    OR seq NOT IN (SELECT seq FROM outside WHERE lease_until IS NOT NULL))
UNION ALL
SELECT 'a lease has no run, or the executor has not the task', outside.seq FROM outside
  LEFT JOIN tasks ON tasks.seq = outside.seq
  WHERE (lease_until IS NULL) IS NOT (outside.run_id IS NULL) OR version < 1
    OR tasks.seq IS NULL
    OR (lease_until IS NOT NULL AND (owner_id IS NOT NULL OR CASE state
      WHEN $claimed THEN FALSE
      WHEN $running THEN tasks.run_id IS NOT outside.run_id
      ELSE TRUE END))
UNION ALL
SELECT 'a paused task has a run and no wish, or a wish and another run', tasks.seq FROM tasks
  LEFT JOIN pauses ON pauses.seq = tasks.seq
  WHERE state = $paused AND tasks.run_id IS NOT pauses.run_id
UNION ALL
SELECT 'a paused task does not say since when, or its run has no owner', seq FROM tasks
  WHERE state = $paused AND iif(run_id IS NULL,
    owner_id IS NOT NULL OR options ->> 'pausedAt' IS NULL,
    started_at IS NULL OR attempt < 1 OR owner_id IS NULL OR owner_id NOT IN (SELECT id FROM owners))
UNION ALL
SELECT 'a wish to pause is of no live run, or its run goes on and runs', pauses.seq FROM pauses
  LEFT JOIN tasks ON tasks.seq = pauses.seq AND tasks.run_id = pauses.run_id
  WHERE coalesce(state, 0) NOT IN ($paused, $running) OR (state = $running AND goes_on <> 0)
    OR goes_on NOT IN (0, 1)
UNION ALL
SELECT 'a waiting task has a run', seq FROM tasks
  WHERE state IN ($blocked, $delayed, $ready) AND (run_id IS NOT NULL OR owner_id IS NOT NULL)
UNION ALL
SELECT 'an ended task has no end, or another task has one', seq FROM tasks
  WHERE (state IN ($done, $failed, $aborted)) IS NOT (ended_at IS NOT NULL)
UNION ALL
SELECT 'a failed or aborted task has no cause or no error, or another task has a cause', seq
  FROM tasks
  WHERE (state IN ($failed, $aborted)) IS NOT (cause IS NOT NULL)
    OR (state IN ($failed, $aborted) AND outcome IS NULL)
    OR (state < $done AND outcome IS NOT NULL)
UNION ALL
SELECT 'a delayed task has no timer that wakes it in time', seq FROM tasks
  WHERE state = $delayed AND seq NOT IN (
    SELECT timers.ref FROM timers JOIN tasks AS late ON late.seq = timers.ref
    WHERE timers.kind = $due_timer AND timers.at <= late.options ->> 'runAt'
  )
UNION ALL
SELECT 'a task that has never started has no timer that ends its queueTimeout', seq FROM tasks
  WHERE state < $claimed AND state <> $paused AND started_at IS NULL
    AND options ->> 'queueTimeoutEndsAt' IS NOT NULL
    AND NOT EXISTS (
      SELECT 1 FROM timers
      WHERE at = options ->> 'queueTimeoutEndsAt' AND kind = $queue_timeout_timer AND ref = seq
    )
UNION ALL
SELECT 'a blocked task waits for nothing', seq FROM tasks
  WHERE state = $blocked AND seq NOT IN (SELECT dependent FROM waits WHERE is_met = 0)
UNION ALL
SELECT 'a task waits for one that has ended, and no timer says so', dependency FROM waits
  JOIN tasks ON tasks.seq = waits.dependency
  WHERE is_met = 0 AND state IN ($done, $failed, $aborted)
    AND dependency NOT IN (SELECT ref FROM timers WHERE kind = $unblock_timer)
UNION ALL
SELECT 'a dependency is not there', dependency FROM waits
  WHERE dependency NOT IN (SELECT seq FROM tasks)
UNION ALL
SELECT 'a task depends on others that is not there, has ended, or waits while it may run', dependent
  FROM waits LEFT JOIN tasks ON tasks.seq = waits.dependent
  WHERE state IS NULL OR state IN ($done, $failed, $aborted)
    OR (is_met = 0 AND state NOT IN ($blocked, $paused))
UNION ALL
SELECT 'an attached task is not among those of its owner, or the owner is not there', seq FROM tasks
  WHERE lane_id >> 62 = 1 AND state < $done AND NOT EXISTS (
    SELECT 1 FROM attached JOIN owners ON owners.id = attached.owner_id
    WHERE attached.seq = tasks.seq AND attached.owner_id = (tasks.lane_id >> 16) - (1 << 46)
  )
UNION ALL
SELECT 'what is attached to an owner is no task that waits or runs', attached.seq FROM attached
  LEFT JOIN tasks ON tasks.seq = attached.seq AND lane_id >> 62 = 1 AND state < $done
  WHERE tasks.seq IS NULL
UNION ALL
SELECT 'a task that lapses is not among those, or another one is', coalesce(tasks.seq, lapsing.seq)
  FROM (
    SELECT seq, lane_id & 65535 AS operation_id FROM tasks
    WHERE state < $done AND options ->> 'onStopWaiting' = 'abort'
  ) AS tasks FULL JOIN lapsing
  ON lapsing.seq = tasks.seq AND lapsing.operation_id = tasks.operation_id
  WHERE tasks.seq IS NULL OR lapsing.seq IS NULL
UNION ALL
SELECT 'a timer is of no kind', ref FROM timers
  WHERE kind NOT IN ($due_timer, $unblock_timer, $queue_timeout_timer, $purge_timer, $hold_timer,
    $schedule_timer, $gate_timer)
UNION ALL
SELECT 'a timer names a number that is still free', ref FROM timers
  WHERE kind NOT IN ($hold_timer, $schedule_timer, $gate_timer)
    AND ref >= coalesce((SELECT seq_next FROM batches ORDER BY number DESC LIMIT 1), 1)
UNION ALL
SELECT 'a gate is of no operation, or of no type', operation_id FROM gates
  WHERE operation_id NOT IN (SELECT id FROM operations) OR type NOT IN (1, 2)
UNION ALL
SELECT 'nothing looks when a hold is over', id FROM holds
  WHERE NOT EXISTS (
    SELECT 1 FROM timers
    WHERE kind = $hold_timer AND ref = id AND at <= until AND (is_released = 0 OR at < until))
UNION ALL
SELECT 'nothing looks when a schedule is due', no FROM schedules
  WHERE next_at IS NOT NULL AND paused_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM timers WHERE kind = $schedule_timer AND ref = no AND at = next_at)
UNION ALL
SELECT 'a schedule has no version, or half of a last task', no FROM schedules
  WHERE version < 1 OR made < 0 OR (last_at IS NULL) IS NOT (last_uuid IS NULL)
UNION ALL
SELECT 'a task is held by no hold', seq FROM held WHERE hold NOT IN (SELECT id FROM holds)
UNION ALL
SELECT 'a held task is not among those of a hold', seq FROM tasks
  WHERE state = $delayed AND options ->> 'isHeld' IS NOT NULL AND seq NOT IN (SELECT seq FROM held)
UNION ALL
SELECT 'a task is not kept for ever, and nothing looks when that is over', seq FROM (
  SELECT seq, ended_at + iif(
    json_type(options -> 'retention') = 'object',
    options -> 'retention' ->> CASE state
      WHEN $done THEN 'done' WHEN $failed THEN 'failed' ELSE 'aborted' END,
    options ->> 'retention') AS over_at
  FROM tasks WHERE state IN ($done, $failed, $aborted) AND options ->> 'retention' IS NOT NULL
) LEFT JOIN (
  SELECT ref, max(at) AS last_at FROM timers WHERE kind = $purge_timer GROUP BY ref
) ON ref = seq - seq % 256
  WHERE over_at IS NOT NULL AND (last_at IS NULL OR last_at < over_at)
UNION ALL
SELECT 'a task has a number that is still free', seq FROM tasks
  WHERE seq >= coalesce((SELECT seq_next FROM batches ORDER BY number DESC LIMIT 1), 1)
UNION ALL
-- Numbers from 2^46 on are not counted up.
SELECT 'a task has a lane whose number is still free', seq FROM tasks
  WHERE (lane_id >> 16) BETWEEN
    coalesce((SELECT lane_next FROM batches ORDER BY number DESC LIMIT 1), 1) AND 70368744177663
UNION ALL
SELECT 'an attempt belongs to no task', seq FROM attempts
  WHERE seq NOT IN (SELECT seq FROM tasks)
UNION ALL
SELECT 'a key belongs to no task', seq FROM keys
  WHERE (seq IN (SELECT seq FROM tasks)) IS NOT (uuid IS NULL)
    OR (uuid IS NOT NULL AND (holds <> $idempotency_key OR until IS NULL))
UNION ALL
SELECT 'a key is of no kind', seq FROM keys
  WHERE holds NOT BETWEEN $idempotency_key AND $always_key
    OR (holds = $idempotency_key) IS NOT (substr(key, 1, 1) = x'69')
    OR (holds <> $idempotency_key) IS NOT (substr(key, 1, 1) = x'75')
UNION ALL
SELECT 'a unique key is not the one that its task says', keys.seq FROM keys
  JOIN tasks ON tasks.seq = keys.seq
  WHERE keys.holds <> $idempotency_key AND (
    CAST(tasks.options -> 'unique' ->> 'key' AS BLOB) IS NOT substr(keys.key, 4)
    OR hex(substr(keys.key, 2, 2)) IS NOT printf('%04X', tasks.lane_id & 65535)
    OR keys.holds IS NOT CASE tasks.options -> 'unique' ->> 'while'
      WHEN 'new' THEN $new_key WHEN 'unfinished' THEN $unfinished_key ELSE $always_key END
    OR keys.until IS NOT tasks.created_at + (tasks.options -> 'unique' ->> 'ttl'))
UNION ALL
SELECT 'a task does not have the key that its state holds', seq FROM tasks
  WHERE options -> 'unique' ->> 'key' IS NOT NULL AND options -> 'unique' ->> 'ttl' IS NULL
    AND CASE options -> 'unique' ->> 'while'
      WHEN 'new' THEN state < $done AND started_at IS NULL
      WHEN 'unfinished' THEN state < $done
      ELSE TRUE END
    AND seq NOT IN (SELECT seq FROM keys WHERE holds <> $idempotency_key)
UNION ALL
SELECT 'a run id stands twice', attempts.seq FROM attempts
  JOIN tasks ON tasks.seq = attempts.seq AND tasks.run_id = attempts.run_id
UNION ALL
SELECT 'an abort belongs to no task', seq FROM aborts
  WHERE seq NOT IN (SELECT seq FROM tasks)
UNION ALL
SELECT 'a postponement belongs to no task', seq FROM postponements
  WHERE seq NOT IN (SELECT seq FROM tasks)
UNION ALL
SELECT 'a log line belongs to no task', seq FROM logs
  WHERE seq NOT IN (SELECT seq FROM tasks)
UNION ALL
SELECT 'a batch number is missing', number FROM batches
  WHERE number > (SELECT min(number) FROM batches)
    AND number - 1 NOT IN (SELECT number FROM batches);

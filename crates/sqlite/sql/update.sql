-- A task that waits in the queue, or elsewhere, gets another definition. No row changes if it does not
-- wait there (I-3), or halted within a run. Moves within index ready or unqueued.
UPDATE tasks SET lane_id = :lane_id, priority = :priority, options = :options, data = :data
WHERE seq = :seq AND run_id IS NULL
  AND CASE WHEN :is_queued THEN state = $ready ELSE state IN ($blocked, $delayed, $paused) END;

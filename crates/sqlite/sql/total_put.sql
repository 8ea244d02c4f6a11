-- An operation has so many tasks more in each state.
INSERT INTO totals (operation_id, blocked, delayed, paused, claimed, running, ready, done, failed, aborted)
VALUES (:operation_id, :blocked, :delayed, :paused, :claimed, :running, :ready, :done, :failed, :aborted)
ON CONFLICT (operation_id) DO UPDATE SET
  blocked = blocked + excluded.blocked,
  delayed = delayed + excluded.delayed,
  paused = paused + excluded.paused,
  claimed = claimed + excluded.claimed,
  running = running + excluded.running,
  ready = ready + excluded.ready,
  done = done + excluded.done,
  failed = failed + excluded.failed,
  aborted = aborted + excluded.aborted;

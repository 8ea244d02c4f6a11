-- An operation has so many tasks more.
INSERT INTO totals (operation_id, "all", done, failed, aborted)
VALUES (:operation_id, :all, :done, :failed, :aborted)
ON CONFLICT (operation_id) DO UPDATE SET
  "all" = "all" + excluded."all", done = done + excluded.done, failed = failed + excluded.failed,
  aborted = aborted + excluded.aborted;

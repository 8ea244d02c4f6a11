-- A handle registers. The id is new for ever (I-5).
INSERT INTO owners (boot_id, pid, pid_started_at, lock_file, is_exclusive, opened_at)
VALUES (:boot_id, :pid, :pid_started_at, :lock_file, :is_exclusive, CAST(unixepoch('subsec') * 1000 AS INTEGER));

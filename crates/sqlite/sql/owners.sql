-- Every registered handle but one, living or dead, and whether this process made it: in containers,
-- pids of different processes are often the same. There are few.
SELECT
  id, pid, lock_file, boot_id IS :boot_id AND pid IS :pid AND pid_started_at IS :pid_started_at, is_exclusive
FROM owners
WHERE id <> :own_id
ORDER BY id;

-- Every registered handle but one, living or dead, and whether this process made it: in containers,
-- pids of different processes are often the same. There are few.
SELECT
  id, pid, lock_file, boot_id IS ?1 AND pid IS ?2 AND pid_started_at IS ?3, is_exclusive
FROM owners
WHERE id <> ?4
ORDER BY id;

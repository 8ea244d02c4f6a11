-- Every registered handle, living or dead, and whether this process made it: in containers, pids of
-- different processes are often the same. There are few.
SELECT id, pid, lock_file, boot_id IS ?1 AND pid IS ?2 AND pid_started_at IS ?3
FROM owners
ORDER BY id;

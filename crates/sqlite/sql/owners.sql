-- Every registered handle, living or dead. There are few.
SELECT id, pid, lock_file FROM owners ORDER BY id;

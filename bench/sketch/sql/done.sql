-- A task ends with its result.
UPDATE tasks SET status = 2, result = ?2, ended_at = ?3 WHERE id = ?1;

-- A task starts.
UPDATE tasks SET status = 1, attempt = attempt + 1, started_at = ?2 WHERE id = ?1;

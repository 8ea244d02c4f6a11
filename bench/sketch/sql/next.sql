-- The next tasks in the order of the queue, behind the last one taken. Index: waiting.
SELECT id, data FROM tasks WHERE status = 0 AND priority = 0 AND id > ?1
ORDER BY priority DESC, id LIMIT ?2;

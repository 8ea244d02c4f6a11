-- A task enters and waits.
INSERT INTO tasks (id, uuid, operation, status, priority, data, created_at)
VALUES (?1, ?2, 'read-book', 0, 0, ?3, ?4);

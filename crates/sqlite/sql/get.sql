-- One task by its number.
FROM tasks
WHERE seq = :seq;

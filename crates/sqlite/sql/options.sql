-- What a task says. By row id.
SELECT options FROM tasks WHERE seq = :seq;

-- What a task is called and in which state it is. By primary key.
SELECT uuid, state FROM tasks WHERE seq = :seq;

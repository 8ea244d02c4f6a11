-- What went wrong with the last attempt in the history of a task. By primary key.
SELECT cause, outcome FROM attempts WHERE seq = :seq ORDER BY n DESC LIMIT 1;

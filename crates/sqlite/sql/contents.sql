-- What the start of tasks with consecutive numbers needs, as window.sql has it; ended ones are left
-- out. By row id.
SELECT seq, uuid, priority, options, started_at, data, created_at
FROM tasks NOT INDEXED
WHERE seq BETWEEN :first AND :last AND state < $done;

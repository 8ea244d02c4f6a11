-- What the start of tasks with consecutive numbers needs, as window.sql has it. One that has ended may
-- be opened again in the very turn that asks. By row id.
SELECT seq, uuid, priority, options, started_at, data, created_at
FROM tasks NOT INDEXED
WHERE seq BETWEEN :first AND :last;

-- The task with the greatest number, to see whether the file belongs together: one seek to the end
-- of the table.
SELECT seq, uuid FROM tasks ORDER BY seq DESC LIMIT 1;

-- The numbers of the running tasks by start. A scan of the index running, which holds no more than
-- what runs at once.
SELECT seq FROM tasks WHERE state = 5 /* running */ ORDER BY started_at, seq;
